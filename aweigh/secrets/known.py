"""The secrets that a process has in hand, for whatever writes its log."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

#: Of releases that were read and that no step holds; each line of the log is looked through for
#: all.
_KEPT: Final = 64


class KnownSecrets:
    """Those that stay, of steps that run, and of the releases and sources that were read last."""

    def __init__(self, *lasting: str) -> None:
        self._lasting = [one for one in lasting if one]
        self._held: dict[int, list[str]] = {}
        self._read: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def add(self, owner: str, secrets: Iterable[str]) -> None:
        """Remember what was read for a deployment or an application; the newest stays longest."""
        self._read[owner] = tuple(secrets)
        self._read.move_to_end(owner)
        while len(self._read) > _KEPT:
            self._read.popitem(last=False)

    @contextmanager
    def holding(self, secrets: list[str]) -> Iterator[None]:
        """Know a step's secrets, and what the list gains meanwhile, for as long as it runs."""
        self._held[id(secrets)] = secrets
        try:
            yield
        finally:
            del self._held[id(secrets)]

    def all(self) -> list[str]:
        known = (self._lasting, *list(self._held.values()), *list(self._read.values()))
        return list(dict.fromkeys(one for secrets in known for one in secrets))
