"""Rewrites an image archive from BuildKit so that it loads under exactly one name.

Untrusted code in the build could have written the archive, and an archive lists the names its
images get, which could be those of other applications. So all names in it are dropped.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from typing import IO, Final, cast

_MANIFEST: Final = "manifest.json"
_BLOB: Final = re.compile(r"blobs/sha256/[0-9a-f]{64}")
_LONGEST_MANIFEST: Final = 1024**2
_CHUNK: Final = 1024**2


class NoImage(Exception):
    """The archive does not contain an image."""


class _Chunks:
    """Makes chunks of any size readable as a file, which is enough for a streamed tar."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = filter(None, chunks)

    def read(self, _size: int) -> bytes:
        return next(self._chunks, b"")


def image_within(copied: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Yield the image archive, renamed to `name`, from a tar with that one file.

    The engine wraps the files that it copies out of a container in a tar.

    Raises:
        NoImage: the content is not an image.
    """
    try:
        with tarfile.open(fileobj=cast(IO[bytes], _Chunks(copied)), mode="r|") as outer:
            file = outer.next()
            archive = outer.extractfile(file) if file else None
            if archive is None:
                raise NoImage("there is no archive")
            yield from _named(archive, name)
    except (tarfile.TarError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise NoImage(f"{type(error).__name__}: {error}") from error


def _named(archive: IO[bytes], name: str) -> Iterator[bytes]:
    with tarfile.open(fileobj=archive, mode="r|") as tar:
        for entry in tar:
            content = tar.extractfile(entry) if entry.isreg() else None
            if content and entry.name == _MANIFEST:
                manifest = _manifest(content.read(_LONGEST_MANIFEST), name)
                yield from _file(_MANIFEST, len(manifest), io.BytesIO(manifest))
            elif content and _BLOB.fullmatch(entry.name):
                yield from _file(entry.name, entry.size, content)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _manifest(text: bytes, name: str) -> bytes:
    [image] = json.loads(text)
    named = {"Config": image["Config"], "RepoTags": [name], "Layers": image["Layers"]}
    return json.dumps([named]).encode()


def _file(name: str, size: int, content: IO[bytes]) -> Iterator[bytes]:
    entry = tarfile.TarInfo(name)
    entry.size = size
    yield entry.tobuf()
    while chunk := content.read(_CHUNK):
        yield chunk
    yield bytes(-size % tarfile.BLOCKSIZE)
