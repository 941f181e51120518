"""Git LFS: what stands in a repository instead of a large file.

https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
"""

import re
from dataclasses import dataclass
from typing import Final

#: A pointer is never longer.
LONGEST_POINTER: Final = 1024
_POINTER: Final = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"(?:ext-[^\n]+\n)*oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>[0-9]{1,15})\n?"
)


@dataclass(frozen=True)
class Pointer:
    """Which bytes belong at a path: their SHA-256, and how many."""

    path: str
    oid: str
    size: int


def read_pointer(path: str, content: bytes) -> Pointer | None:
    """The pointer that a file is; None where it is an ordinary file."""
    match = _POINTER.fullmatch(content)
    return Pointer(path, match["oid"].decode(), int(match["size"])) if match else None


def endpoint_of(repository: str) -> str:
    """Where a server has the objects of a repository, unless it says otherwise."""
    return f"{repository.removesuffix('.git')}.git/info/lfs"
