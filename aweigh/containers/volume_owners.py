"""Gives unused volumes to an image's user, without running anything in the image.

The engine copies an image's content at a path into an empty volume, with its owner. If the image
has nothing there, the volume belongs to root, and a program that runs as another user cannot write.
"""

import io
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Final

import docker
import structlog
from docker.errors import APIError, NotFound

from aweigh.engine.engine import Engine
from aweigh.images.user import ImageUser, owner_of

_log = structlog.get_logger(__name__)
#: Lists of users are shorter than this.
_LONGEST_FILE: Final = 1_000_000
_MOST_LINKS: Final = 5
_WRITABLE_BY_ALL: Final = 0o002


class VolumeOwners:
    """The owners of volumes on one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def untouched(self, names: Iterable[str]) -> frozenset[str]:
        """Return the volumes that no container has run with.

        Raises:
            StepError: the engine does not answer.
        """

        def looked(c: docker.APIClient) -> frozenset[str]:
            return frozenset(name for name in names if not _has_run_with(c, name))

        return await self._engine.call("look at volumes", looked)

    async def give(self, container: str, paths: Iterable[str], user: str) -> None:
        """Give empty volumes owned by root to the user of a container that was created but not
        started.

        Content and owners that the engine copied from the image are kept.

        Raises:
            StepError: the engine does not answer.
        """

        def given(c: docker.APIClient) -> None:
            owner = owner_of(user, lambda path: _text(c, container, path))
            if owner is None:
                _log.warning(
                    "the image's user does not exist in the image", container=container, user=user
                )
            elif owner.uid:
                for path in paths:
                    _give(c, container, path, owner)

        await self._engine.call(f"give the volumes of {container} to its user", given)


def _has_run_with(c: docker.APIClient, name: str) -> bool:
    found = c.containers(all=True, filters={"volume": name})
    return any(one["State"] != "created" for one in found)


def _give(c: docker.APIClient, container: str, path: str, owner: ImageUser) -> None:
    root = _root_of_empty(c, container, path)
    if root is None or root.uid or root.mode & _WRITABLE_BY_ALL:
        return
    parent, _, name = path.rstrip("/").rpartition("/")
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, root.mode & 0o7777
    entry.uid, entry.gid = owner.uid, owner.gid
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(entry)
    try:
        c.put_archive(container, parent or "/", archive.getvalue())
    except APIError as error:  # some drivers do not support owners
        _log.warning("a volume keeps its owner", container=container, path=path, error=str(error))


def _root_of_empty(c: docker.APIClient, container: str, path: str) -> tarfile.TarInfo | None:
    """Return the directory's entry; None if the directory is not empty."""
    chunks, _ = c.get_archive(container, path)
    with closing(chunks), tarfile.open(fileobj=_Stream(chunks), mode="r|") as tar:
        root = tar.next()
        return root if root and root.isdir() and tar.next() is None else None


def _text(c: docker.APIClient, container: str, path: str) -> str:
    """Return a file of the image; "" if it does not exist or is not a regular file."""
    for _ in range(_MOST_LINKS):
        try:
            chunks, about = c.get_archive(container, path)
        except NotFound:
            return ""
        with closing(chunks):
            if not about["linkTarget"]:
                return _first_file(chunks)
        path = about["linkTarget"]
    return ""


def _first_file(chunks: Iterator[bytes]) -> str:
    with tarfile.open(fileobj=_Stream(chunks), mode="r|") as tar:
        entry = tar.next()
        content = tar.extractfile(entry) if entry and entry.isreg() else None
        return content.read(_LONGEST_FILE).decode(errors="replace") if content else ""


class _Stream(io.RawIOBase):
    """Makes chunks readable as a file, so that only the beginning of a large volume is read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._left) < size and (chunk := next(self._chunks, b"")):
            self._left += chunk
        taken, self._left = self._left[:size], self._left[size:]
        return taken
