"""Git LFS, downloads only: replaces pointers with the files' content.

The program `git-lfs` is not used. It follows `.lfsconfig`, redirects and any address a server
names, and cannot be kept from private networks. So this module asks the server at the repository's
own address, and checks each download's address before connecting.

https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
"""

import hashlib
import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, Final
from urllib.parse import urljoin, urlsplit

import httpx2

from aweigh.builds.source.git import Tell
from aweigh.builds.source.git_environment import GitEnvironment, authorization
from aweigh.builds.source.lfs_pointer import Pointer, endpoint_of
from aweigh.builds.source.targets import Place, Targets
from aweigh.core.subprocesses import run_tool
from aweigh.core.text import one_line, printable
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.deployments.repository import is_loopback, path_on
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import (
    StepError,
    StepFailed,
    StepUnavailable,
)
from aweigh.secrets.value import mask

_MEDIA_TYPE: Final = "application/vnd.git-lfs+json"
_BATCH: Final = 100
_REDIRECTS: Final = 3
_SECONDS: Final = 60
_LONGEST_ANSWER: Final = 4 * 1024**2
_CHUNK: Final = 1024**2


@dataclass(frozen=True)
class LfsServer:
    """The LFS server of a repository, and the headers for requests to it."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def secrets(self) -> list[str]:
        """The values that the server issued for this fetch, with and without their scheme."""
        return [part for value in self.headers.values() for part in (value, *value.split())]

    def headers_for(self, url: str) -> Mapping[str, str]:
        """Return the headers for a URL: they are sent to this server only."""
        same = urlsplit(url)[:2] == urlsplit(self.url)[:2]
        return self.headers if same else {}


@dataclass(frozen=True)
class LargeFiles:
    """The large files of one repository."""

    targets: Targets
    source: GitSource
    env: GitEnvironment

    async def fill_in(self, pointers: Sequence[Pointer], clone: Path, tell: Tell) -> None:
        """Replace the pointers with their content, each file completely or not at all.

        Raises:
            StepError: `lfs_failed`, for the first file that failed.
        """
        size = sum(one.size for one in pointers)
        tell(f"fetch {len(pointers)} files of Git LFS, {size / 1e6:.1f} MB")
        endpoint = await self._endpoint()
        trusted = await in_thread(_trusted)
        async with httpx2.AsyncClient(timeout=_SECONDS, trust_env=False, verify=trusted) as client:
            for begin in range(0, len(pointers), _BATCH):
                batch = pointers[begin : begin + _BATCH]
                actions = await self._ask(client, endpoint, batch)
                for one in batch:
                    await self._download(client, endpoint, one, actions[one.oid], clone)

    async def _endpoint(self) -> LfsServer:
        """Return the LFS server; over ssh, the Git server names it and its headers.

        https://github.com/git-lfs/git-lfs/blob/main/docs/api/server-discovery.md
        """
        url = urlsplit(self.source.repository)
        if url.scheme != "ssh":
            header = authorization(self.source)
            headers = {"Authorization": header} if header else {}
            return LfsServer(endpoint_of(self.source.repository), headers)
        port = ["-p", str(url.port)] if url.port else []
        told = ["git-lfs-authenticate", path_on(self.source.repository), "download"]
        command = [*self.env.ssh, *port, f"{url.username}@{url.hostname}", *told]
        code, lines = await run_tool(command, env=self.env, directory=self.env.home)
        try:
            said = json.loads(lines[-1] or lines[-2])
            return LfsServer(said["href"].rstrip("/"), _headers(said))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise self._failed(f"git-lfs-authenticate ended with code {code}") from error

    async def _ask(
        self, client: httpx2.AsyncClient, endpoint: LfsServer, batch: Sequence[Pointer]
    ) -> dict[str, Mapping[str, Any]]:
        """Return URL and headers of each object's download, by object id."""
        question = {
            "operation": "download", "transfers": ["basic"], "hash_algo": "sha256",
            "objects": [{"oid": one.oid, "size": one.size} for one in batch],
        }  # fmt: skip
        headers = {**endpoint.headers, "Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE}
        url = f"{endpoint.url}/objects/batch"
        async with self._request(client, "POST", url, headers, json.dumps(question)) as answer:
            if answer.status_code != 200:
                raise self._refused(answer.status_code, "the list of its files")
            said = await _json(answer)
        try:
            found = {one["oid"]: one for one in said["objects"]}
            return {one.oid: self._action(found[one.oid], one, endpoint) for one in batch}
        except (LookupError, TypeError) as error:
            raise self._failed("the server's list of files cannot be read") from error

    def _action(
        self, said: Mapping[str, Any], pointer: Pointer, endpoint: LfsServer
    ) -> Mapping[str, Any]:
        if error := said.get("error"):
            text = mask(f"{error.get('code')} {error.get('message')}", endpoint.secrets)
            text = one_line(printable(text), 200)
            raise self._failed(
                f"{pointer.path} ({pointer.oid[:12]}) does not exist on the LFS server: {text}; "
                "push it with `git lfs push --all`",
                final=True,
            )
        action = said["actions"]["download"]
        return {"href": str(action["href"]), "header": _headers(action)}

    async def _download(
        self, client: httpx2.AsyncClient, endpoint: LfsServer, one: Pointer,
        action: Mapping[str, Any], clone: Path,
    ) -> None:  # fmt: skip
        url = action["href"]
        headers = {**endpoint.headers_for(url), **action["header"]}
        for _ in range(_REDIRECTS + 1):
            async with self._request(client, "GET", url, headers) as answer:
                if answer.is_redirect:
                    url, headers = urljoin(url, answer.headers.get("Location", "")), {}
                    continue
                if answer.status_code != 200:
                    raise self._refused(answer.status_code, one.path)
                with NamedTemporaryFile(dir=clone / ".git", delete=False) as file:
                    await self._copy(answer, file, one)
            place = clone / one.path
            arrived = Path(file.name)
            arrived.chmod(place.stat().st_mode)
            arrived.replace(place)
            return
        raise self._failed(f"{one.path} is redirected too often", final=True)

    async def _copy(self, answer: httpx2.Response, file: IO[bytes], one: Pointer) -> None:
        """Write the body, rejecting one whose size or digest differs from the pointer's."""
        digest, size = hashlib.sha256(), 0
        async for chunk in answer.aiter_raw(_CHUNK):
            size += len(chunk)
            if size > one.size:
                break
            await in_thread(partial(self._take, file, digest, chunk))
        if (size, digest.hexdigest()) != (one.size, one.oid):
            raise self._failed(f"the download of {one.path} does not match its pointer")

    def _take(self, file: IO[bytes], digest: "hashlib._Hash", chunk: bytes) -> None:
        digest.update(chunk)
        try:
            file.write(chunk)
        except OSError as error:
            raise StepFailed(
                Reason.DISK_FULL, f"A file of Git LFS could not be written: {error.strerror}."
            ) from error

    @asynccontextmanager
    async def _request(
        self, client: httpx2.AsyncClient, method: str, url: str, headers: Mapping[str, str],
        body: str | None = None,
    ) -> AsyncIterator[httpx2.Response]:  # fmt: skip
        """Yield a streamed response, connecting to the address that was checked."""
        parts = urlsplit(url)
        within = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if parts.scheme != "https" and not within:
            raise self._failed(f"an address with {parts.scheme}:// is not followed", final=True)
        place = await self._place_of(url)
        pinned = parts._replace(netloc=f"{place.literal}:{place.port}").geturl()
        try:
            async with client.stream(
                method, pinned, content=body,
                headers={**headers, "Host": parts.netloc.rpartition("@")[2],
                         "Accept-Encoding": "identity"},
                extensions={"sni_hostname": place.host},
            ) as answer:  # fmt: skip
                yield answer
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._failed(f"{parts.hostname}: {error or type(error).__name__}") from error

    async def _place_of(self, url: str) -> Place:
        try:
            return await self.targets.place_of(url)
        except StepError as error:
            raise type(error)(Reason.LFS_FAILED, error.message) from error

    def _refused(self, status: int, what: str) -> StepError:
        advice = "; check `credentials`" if status in (401, 403, 404) else ""
        final = 400 <= status < 500 and status not in (408, 429)
        return self._failed(f"the server answers {status} for {what}{advice}", final=final)

    def _failed(self, what: str, *, final: bool = False) -> StepError:
        kind = StepFailed if final else StepUnavailable
        return kind(Reason.LFS_FAILED, f"Git LFS of {self.source.repository}: {what}.")


def _headers(said: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that a server's answer prescribes.

    Raises:
        TypeError: the headers are not text.
    """
    found = said.get("header") or {}
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise TypeError("headers are not strings")
    return found


async def _json(answer: httpx2.Response) -> Any:
    """Return a small response's body as JSON; {} if it is not JSON or too long."""
    body = b""
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            return {}
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return {}


def _trusted() -> ssl.SSLContext:
    """Return the TLS context with the CA bundle that git uses too."""
    return ssl.create_default_context(cafile=os.environ.get("GIT_SSL_CAINFO"))
