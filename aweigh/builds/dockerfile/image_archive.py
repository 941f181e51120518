"""An image as BuildKit writes it, on its way into the engine under the one name it may have.

What ran in the build could have written that archive, and an archive says itself which names its
images get: other applications' too. So everything that names an image is left out of it.
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
    """The archive does not hold an image."""


class _Chunks:
    """Chunks, read like a file: a tar that is read as a stream takes them in any size."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = filter(None, chunks)

    def read(self, _size: int) -> bytes:
        return next(self._chunks, b"")


def image_within(copied: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The archive that is the one file in a tar (as the engine copies files out), under `name`.

    Raises:
        NoImage: it is none.
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
