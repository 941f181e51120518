"""The secrets that a process has in hand, for whatever writes its log."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

#: More releases than are worked on at a time; each line of the log is looked through for all.
_KEPT: Final = 64


class KnownSecrets:
    """Of the newest releases and sources that were read, and those that stay."""

    def __init__(self, *lasting: str) -> None:
        self._lasting = [one for one in lasting if one]
        self._read: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def add(self, owner: str, secrets: Iterable[str]) -> None:
        """Remember what was read for a deployment or an application; the newest stays longest."""
        self._read[owner] = tuple(secrets)
        self._read.move_to_end(owner)
        while len(self._read) > _KEPT:
            self._read.popitem(last=False)

    def all(self) -> list[str]:
        return [*self._lasting, *(one for read in list(self._read.values()) for one in read)]
