"""The user of an image: its `USER`, interpreted as the engine does.

https://docs.docker.com/reference/dockerfile/#user
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True)
class ImageUser:
    uid: int
    gid: int


def runs_as_root(user: str) -> bool:
    return user.partition(":")[0] in ("", "0", "root")


def owner_of(user: str, read: Callable[[str], str]) -> ImageUser | None:
    """Return the user and group of an image's `USER`, by number or by the image's own files.

    None if the user does not exist: the engine would not start such a container.
    """
    name, _, group = user.partition(":")
    known = _entry(read("/etc/passwd"), name)
    if known is None and not _NUMBER.fullmatch(name):
        return None
    uid, gid = (int(known[2]), int(known[3])) if known else (int(name), 0)
    if not group:
        return ImageUser(uid, gid)
    found = _entry(read("/etc/group"), group, numbers=1)
    if found is None and not _NUMBER.fullmatch(group):
        return None
    return ImageUser(uid, int(found[2]) if found else int(group))


def _entry(file: str, name: str, *, numbers: int = 2) -> list[str] | None:
    """Return the line with a name, else with a number, of a file such as /etc/passwd."""
    lines = [line.split(":") for line in file.splitlines()]
    whole = [
        one
        for one in lines
        if len(one) >= 2 + numbers and all(map(_NUMBER.fullmatch, one[2 : 2 + numbers]))
    ]
    by_name = (one for one in whole if one[0] == name)
    by_number = (one for one in whole if one[2] == name)
    return next(by_name, None) or next(by_number, None)
