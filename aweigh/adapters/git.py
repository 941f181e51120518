"""Git repositories, read by the `git` command: one commit, without anything a repository runs.

Credentials travel in the environment (a header scoped to the repository's own address) or in a
file that only this user can read; never in arguments, addresses or the clone.
"""

import base64
import ipaddress
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

from aweigh.adapters.git_errors import git_error
from aweigh.adapters.process import run_tool
from aweigh.adapters.threads import in_thread
from aweigh.domain.deployment import Reason
from aweigh.domain.errors import StepFailed, StepUnavailable
from aweigh.domain.git import DeployKey, Token, is_commit
from aweigh.domain.source import GitSource

_PORTS: Final = {"https": 443, "http": 80, "ssh": 22}
#: A repository is data: nothing in it or on this machine may make git run or reach anything else.
_CONFIG: Final = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.symlinks": "true",
    "credential.helper": "",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "protocol.http.allow": "always",
    "protocol.ssh.allow": "always",
    "advice.detachedHead": "false",
    "gc.auto": "0",
}

#: How far back, in commits, the history of a branch is looked at for one that somebody named.
_HISTORY: Final = 10_000

#: Of a change: characters of its message, and paths, beyond which nobody needs to know.
_MESSAGE: Final = 10_000
_PATHS: Final = 10_000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Change:
    """What a commit says, and what has changed with it; None: that is not known."""

    message: str
    paths: tuple[str, ...] | None


@dataclass(frozen=True)
class Git:
    """The `git` command. `private`: networks it may reach although they are not public."""

    private: tuple[Network, ...] = ()

    async def commit_of(self, source: GitSource, ref: str) -> str:
        """The commit a branch or tag stands for now; a commit is itself.

        Raises:
            StepError: it cannot be had, with the reason.
        """
        if is_commit(ref):
            return ref
        async with self._environment(source) as env:
            names = [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/tags/{ref}^{{}}"]
            found = await _refs(source, env, *names)
        for name in (names[0], names[2], names[1]):  # an annotated tag is not yet a commit
            if name in found:
                return found[name]
        raise StepFailed(
            Reason.COMMIT_NOT_FOUND,
            f"{source.repository} has no branch or tag {ref!r}; push it, or change `branch`.",
        )

    async def head_of(self, source: GitSource) -> str | None:
        """The commit where the source's branch stands; None where there is no such branch.

        Raises:
            StepError: that cannot be found out, with the reason.
        """
        name = f"refs/heads/{source.branch}"
        async with self._environment(source) as env:
            return (await _refs(source, env, name)).get(name)

    async def change(self, source: GitSource, before: str | None, commit: str) -> Change:
        """What a commit says and changes, without the content of any file.

        Raises:
            StepError: it cannot be had, with the reason.
        """
        async with self._environment(source) as env:
            directory = await _bare(source, env)
            await _fetch(source, env, directory, "--depth=1", "--filter=blob:none", commit)
            message: list[str] = []
            await _git(["log", "-1", "--format=%B", commit], env, directory, source, message.append)
            wanted = before is not None and bool(source.paths)
            paths = await _paths(source, env, directory, f"{before}", commit) if wanted else None
        return Change("\n".join(message)[:_MESSAGE], paths)

    async def ensure_reachable(self, source: GitSource, commit: str) -> None:
        """A commit that a caller named must be the repository's: hosts hand out a fork's as well.

        It is where a branch or tag stands, or lies in the history of the source's branch.

        Raises:
            StepError: it is not, or that cannot be found out.
        """
        async with self._environment(source) as env:
            refs = await _refs(source, env, "refs/heads/*", "refs/tags/*")
            if commit in refs.values():
                return
            branch = f"refs/heads/{source.branch}"
            if branch in refs and commit in await _history(source, env, branch):
                return
        raise StepFailed(
            Reason.COMMIT_NOT_ON_BRANCH,
            f"{commit[:12]} is neither a branch or tag of {source.repository} nor among the "
            f"newest {_HISTORY} commits of {source.branch}; push a tag to it, and name that.",
        )

    async def clone(
        self, source: GitSource, commit: str, directory: Path, tell: Callable[[str], None]
    ) -> None:
        """Have exactly this commit in `directory`, without its history.

        Raises:
            StepError: it cannot be had, with the reason.
        """
        directory.mkdir(parents=True)
        fetch = ["fetch", "--depth", "1", "--no-tags", source.repository, commit]
        async with self._environment(source) as env:
            await _git(["init", "--quiet", "--initial-branch", "source"], env, directory, source)
            await _git(fetch, env, directory, source, tell)
            await _git(["checkout", "--quiet", "FETCH_HEAD"], env, directory, source, tell)

    @asynccontextmanager
    async def _environment(self, source: GitSource) -> AsyncIterator["_Environment"]:
        with TemporaryDirectory(prefix="aweigh-git-") as home:
            env = _Environment(Path(home))
            env.pin(await self._address_of(source))
            env.authenticate(source)
            yield env

    async def _address_of(self, source: GitSource) -> tuple[str, int, str]:
        """Host, port and the one address that is connected to, looked at before.

        Raises:
            StepError: the host is unknown, or stands where no repository should.
        """
        url = urlsplit(source.repository)
        host, port = url.hostname or "", url.port or _PORTS[url.scheme]
        try:
            found = await in_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            raise StepUnavailable(
                Reason.REPOSITORY_NOT_FOUND,
                f"The host of {source.repository} is not known here ({error.strerror}); "
                "check the address.",
            ) from error
        addresses = [str(one[4][0]) for one in found]
        allowed = [one for one in addresses if self._may_reach(ipaddress.ip_address(one))]
        if not allowed:
            raise StepFailed(
                Reason.REPOSITORY_NOT_FOUND,
                f"{host} is {addresses[0]}, in a private network, and repositories are not looked "
                "for there. AWEIGH_PRIVATE_TARGETS of the server worker allows it.",
            )
        return host, port, allowed[0]

    def _may_reach(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        public = address.is_global and not address.is_multicast
        return public or any(address in network for network in self.private)


class _Environment(dict[str, str]):
    """The environment of one `git` command: nothing of this process's but the way to programs."""

    def __init__(self, home: Path) -> None:
        super().__init__(
            PATH=os.environ.get("PATH", os.defpath),
            HOME=str(home),
            LC_ALL="C",
            GIT_TERMINAL_PROMPT="0",
            GIT_CONFIG_NOSYSTEM="1",
            GIT_LFS_SKIP_SMUDGE="1",
        )
        if bundle := os.environ.get("GIT_SSL_CAINFO"):
            self["GIT_SSL_CAINFO"] = bundle
        self.home = home
        self._ssh = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"]
        for key, value in _CONFIG.items():
            self.configure(key, value)

    def configure(self, key: str, value: str) -> None:
        count = int(self.get("GIT_CONFIG_COUNT", "0"))
        self[f"GIT_CONFIG_KEY_{count}"] = key
        self[f"GIT_CONFIG_VALUE_{count}"] = value
        self["GIT_CONFIG_COUNT"] = str(count + 1)

    def pin(self, place: tuple[str, int, str]) -> None:
        """Connect to the address that was looked at, whatever the name stands for by then."""
        host, port, address = place
        literal = f"[{address}]" if ":" in address else address
        self.configure("http.curloptResolve", f"{host}:{port}:{literal}")
        self._ssh += ["-o", f"HostName={address}", "-o", f"HostKeyAlias={host}"]

    def authenticate(self, source: GitSource) -> None:
        credentials = source.credentials
        if isinstance(credentials, Token):
            pair = f"{credentials.username}:{credentials.secret}"
            header = f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"
            self.configure(f"http.{source.repository}.extraHeader", header)
        if isinstance(credentials, DeployKey):
            key, hosts = self.home / "key", self.home / "known_hosts"
            key.touch(0o600)
            key.write_text(credentials.secret.rstrip("\n") + "\n")
            hosts.write_text(credentials.known_hosts.rstrip("\n") + "\n")
            self._ssh += ["-i", str(key), "-o", "IdentitiesOnly=yes"]
            self._ssh += ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={hosts}"]
        self["GIT_SSH_COMMAND"] = " ".join(self._ssh)


async def _refs(source: GitSource, env: _Environment, *patterns: str) -> dict[str, str]:
    """The commits, or annotated tags, that branches and tags stand for now."""
    lines: list[str] = []
    await _git(["ls-remote", source.repository, *patterns], env, env.home, source, lines.append)
    rows = (line.split("\t", 1) for line in lines if "\t" in line)
    return {name: commit for commit, name in rows}


async def _history(source: GitSource, env: _Environment, branch: str) -> set[str]:
    """The branch's newest commits; none of their files is fetched where the host can do without."""
    directory = await _bare(source, env)
    depth = f"--depth={_HISTORY}"
    await _fetch(source, env, directory, depth, "--filter=tree:0", f"{branch}:{branch}")
    commits: set[str] = set()
    await _git(["rev-list", branch], env, directory, source, commits.add)
    return commits


async def _paths(
    source: GitSource, env: _Environment, directory: Path, before: str, commit: str
) -> tuple[str, ...] | None:
    """What has changed between two commits; None where the earlier one is to be had no more."""
    try:
        await _fetch(source, env, directory, "--depth=1", "--filter=blob:none", before)
    except StepFailed:
        return None
    paths: list[str] = []
    diff = ["-c", "core.quotePath=false", "diff-tree", "-r", "--name-only", "--no-renames"]
    await _git([*diff, before, commit], env, directory, source, paths.append)
    return tuple(paths) if len(paths) <= _PATHS else None


async def _bare(source: GitSource, env: _Environment) -> Path:
    """An empty repository that is gone with its environment."""
    directory = env.home / "bare"
    directory.mkdir()
    await _git(["init", "--quiet", "--bare"], env, directory, source)
    return directory


async def _fetch(source: GitSource, env: _Environment, directory: Path, *how: str) -> None:
    *options, wanted = how
    command = ["fetch", "--no-tags", *options, source.repository, wanted]
    await _git(command, env, directory, source)


async def _git(
    command: list[str],
    env: _Environment,
    directory: Path,
    source: GitSource,
    tell: Callable[[str], None] = lambda line: None,
) -> list[str]:
    code, lines = await run_tool(["git", *command], env=env, directory=directory, tell=tell)
    if code:
        raise git_error(lines, source)
    return lines
