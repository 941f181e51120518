"""The environment of a `git` command: which server it may reach, and with which credentials.

Credentials are passed in the environment (a header scoped to the repository's own address) or in a
file that only this user can read; never in arguments, addresses or the clone.
"""

import contextlib
import os
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aweigh.builds.source.targets import Place, Targets
from aweigh.deployments.repository import DeployKey, Token
from aweigh.deployments.source import GitSource

#: A repository is data: neither it nor this machine may make git run or reach anything else.
_CONFIG: Final = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.symlinks": "true",
    "core.quotePath": "false",
    "core.attributesFile": "/dev/null",
    "credential.helper": "",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "protocol.http.allow": "always",
    "protocol.ssh.allow": "always",
    "submodule.recurse": "false",
    "advice.detachedHead": "false",
    "gc.auto": "0",
}
_SSH: Final = ("ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20")
_SSH_PORT: Final = 22


class GitEnvironment(dict[str, str]):
    """Inherits only `PATH` and the CA bundle from this process; `ssh` is the ssh command."""

    def __init__(self, home: Path, source: GitSource, place: Place) -> None:
        super().__init__(
            PATH=os.environ.get("PATH", os.defpath),
            HOME=str(home),
            LC_ALL="C",
            GIT_TERMINAL_PROMPT="0",
            GIT_CONFIG_NOSYSTEM="1",
        )
        if bundle := os.environ.get("GIT_SSL_CAINFO"):
            self["GIT_SSL_CAINFO"] = bundle
        self.home, self._source, self._place = home, source, place
        self.ssh = [*_SSH, *_pinned(place), *_identity(home, source)]
        self["GIT_SSH_COMMAND"] = shlex.join(self.ssh)
        for key, value in _CONFIG.items():
            self._configure(key, value)
        # Pin the address that was checked, whatever the name resolves to later.
        self._configure("http.curloptResolve", f"{place.host}:{place.port}:{place.literal}")
        if header := authorization(source):
            self._configure(f"http.{source.repository}.extraHeader", f"Authorization: {header}")

    def at(self, repository: str) -> "GitEnvironment":
        """Return the environment for another address of the repository on the same server."""
        source = self._source.model_copy(update={"repository": repository})
        return GitEnvironment(self.home, source, self._place)

    def _configure(self, key: str, value: str) -> None:
        count = int(self.get("GIT_CONFIG_COUNT", "0"))
        self[f"GIT_CONFIG_KEY_{count}"] = key
        self[f"GIT_CONFIG_VALUE_{count}"] = value
        self["GIT_CONFIG_COUNT"] = str(count + 1)


@asynccontextmanager
async def reaching(
    targets: Targets, source: GitSource, scratch: Path
) -> AsyncIterator[GitEnvironment]:
    """Yield the environment for one server; a key is kept below `scratch` until exit.

    Raises:
        StepError: the server may not be reached, or its name cannot be resolved.
    """
    place = await targets.place_of(source.repository)
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(prefix="git-", dir=scratch) as home:
            yield GitEnvironment(Path(home), source, place)
    finally:
        with contextlib.suppress(OSError):  # the directory has other content
            scratch.rmdir()


def authorization(source: GitSource) -> str:
    """Return the value of the Authorization header; empty without a token."""
    if not isinstance(source.credentials, Token):
        return ""
    return f"Basic {source.credentials.basic}"


def _pinned(place: Place) -> list[str]:
    """Pin the address; host keys are looked up by the name that `ssh-keyscan` writes."""
    alias = place.host if place.port == _SSH_PORT else f"[{place.host}]:{place.port}"
    return ["-o", f"HostName={place.address}", "-o", f"HostKeyAlias={alias}"]


def _identity(home: Path, source: GitSource) -> list[str]:
    """Return the ssh options for the deploy key; without one no host is trusted, so ssh fails."""
    key, hosts = home / "key", home / "known_hosts"
    if isinstance(source.credentials, DeployKey):
        key.touch(0o600)
        key.write_text(_lines(source.credentials.secret))
        hosts.write_text(_lines(source.credentials.known_hosts))
    return [
        "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
        "-o", f"UserKnownHostsFile={hosts}", "-o", "GlobalKnownHostsFile=/dev/null",
    ]  # fmt: skip


def _lines(text: str) -> str:
    """Return the text as ssh needs it: without carriage returns, with a final newline."""
    return text.replace("\r\n", "\n").strip("\n") + "\n"
