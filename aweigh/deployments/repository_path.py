"""Normalises paths inside a repository."""

import re
from typing import Final

_LONGEST: Final = 255
#: Safe in an option of BuildKit's client, which splits at commas and removes quotes.
_FILE: Final = re.compile(r"[A-Za-z0-9._@+ ()\[\]-]{1,255}")


def directory(text: str) -> str:
    """Return a directory inside a repository: `./web`, `/web` and `web/` are `web`, `.` is "".

    Raises:
        ValueError: the path leaves the repository or is malformed.
    """
    if "\\" in text:
        raise ValueError("must use '/' instead of '\\'")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("leaves the repository by '..'")
    if not text.isprintable() or len(text) > _LONGEST:
        raise ValueError(f"is not a path of at most {_LONGEST} printable characters")
    return "/".join(parts)


def file(text: str) -> str:
    """Return the path of a file inside a repository.

    Raises:
        ValueError: the path is not that of a file.
    """
    path = directory(text)
    if not path or text.endswith("/") or not _FILE.fullmatch(path.rpartition("/")[2]):
        raise ValueError("is not the path of a file (letters, digits, spaces and ._@+()[]-)")
    return path
