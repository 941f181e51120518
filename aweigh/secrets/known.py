"""The secrets that a process currently knows, so that its log can mask them."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

#: The number of releases and sources remembered after reading; each log line is searched for all.
_KEPT: Final = 64


class KnownSecrets:
    """Permanent secrets, those of running steps, and those of releases and sources read last."""

    def __init__(self, *lasting: str) -> None:
        self._lasting = [one for one in lasting if one]
        self._held: dict[int, list[str]] = {}
        self._read: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def add(self, owner: str, secrets: Iterable[str]) -> None:
        """Remember secrets of a deployment or an application; the oldest are forgotten first."""
        self._read[owner] = tuple(secrets)
        self._read.move_to_end(owner)
        while len(self._read) > _KEPT:
            self._read.popitem(last=False)

    @contextmanager
    def holding(self, secrets: list[str]) -> Iterator[None]:
        """Include a step's secrets, and those added to the list later, while the step runs."""
        self._held[id(secrets)] = secrets
        try:
            yield
        finally:
            del self._held[id(secrets)]

    def all(self) -> list[str]:
        known = (self._lasting, *list(self._held.values()), *list(self._read.values()))
        return list(dict.fromkeys(one for secrets in known for one in secrets))
