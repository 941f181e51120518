"""The ends of stacks' logs, for whoever reads why a test failed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support import stalls

_LAST_BYTES: Final = 6_000

#: Of stacks that ended with the test that failed.
_kept: list[tuple[str, str]] = []


def keep(data: Path) -> None:
    """Keep the logs of a stack whose data directory is about to be removed."""
    _kept.extend(_ends(data))


def take() -> list[tuple[str, str]]:
    """Return titles and texts: of what was kept since the last call, and of running stacks."""
    found = [*_kept, *(end for file in stalls.files for end in _ends(file.parent))]
    _kept.clear()
    return found


def _ends(data: Path) -> Iterator[tuple[str, str]]:
    for log in (data / "up.log", *sorted((data / "logs").glob("*.log"))):
        if log.exists() and (text := log.read_bytes()[-_LAST_BYTES:]):
            yield f"end of {data.name}/{log.name}", text.decode(errors="replace")
