"""How tests are shared out among processes."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

#: What waits most comes first, so that at the end no process waits for another one's long file.
_ORDER = ("acceptance", "workflows", "integration", "unit")
_BUILDING = "building"


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """One file to one process; all that build on the shared stack for builds to one, too.

    A stack takes ten seconds of a processor to start, and goes on taking some: one is enough.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # by the number of tests, which says nothing
        self._root = config.rootpath

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return _BUILDING if _builds(self._root / file) else file


def in_order(item: pytest.Item) -> int:
    """For sorting what was collected."""
    place = item.path.relative_to(item.config.rootpath / "tests").parts[0]
    return _ORDER.index(place) if place in _ORDER else len(_ORDER)


@cache
def _builds(file: Path) -> bool:
    text = file.read_text()
    return "builds: Builds" in text and "def builds(" not in text
