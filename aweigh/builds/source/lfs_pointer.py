"""Git LFS pointers: the small files that a repository has instead of large ones.

https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
"""

import re
from dataclasses import dataclass
from typing import Final

#: Pointers are never longer, in bytes.
LONGEST_POINTER: Final = 1024
_POINTER: Final = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"(?:ext-[^\n]+\n)*oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>[0-9]{1,15})\n?"
)


@dataclass(frozen=True)
class Pointer:
    """The SHA-256 and size in bytes of the content that belongs at a path."""

    path: str
    oid: str
    size: int


def read_pointer(path: str, content: bytes) -> Pointer | None:
    """Return the pointer in a file's content; None if it is an ordinary file."""
    match = _POINTER.fullmatch(content)
    return Pointer(path, match["oid"].decode(), int(match["size"])) if match else None


def endpoint_of(repository: str) -> str:
    """Return the default address of a repository's LFS server."""
    return f"{repository.removesuffix('.git')}.git/info/lfs"
