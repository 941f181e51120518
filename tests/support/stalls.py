"""No test may pass while an event loop stood still: the tests' own, or one of a stack's processes.

What is found during a test fails that test, whoever started the process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from aweigh.core.stalls import ALLOWED, LIMIT_SECONDS, Stall, allowed_by, nearest_coroutine

ROOT = Path(__file__).parents[2]
#: The parts of the product; what tests do themselves, on their own loop, is their own affair.
_PRODUCT = tuple(
    f"{ROOT}/{name}/" for name in ("aweigh", "activities", "workflows", "api", "worker", "cli")
)
_allowed_everywhere = allowed_by(ALLOWED)

#: What was seen in this process, and the files that processes of stacks write to.
seen: list[Stall] = []
files: dict[Path, int] = {}


def is_allowed_here(frames: Sequence[FrameType]) -> bool:
    """Whether a test blocked the loop itself, or nobody can tell who did."""
    culprit = nearest_coroutine(frames)
    ours = culprit is not None and culprit.f_code.co_filename.startswith(_PRODUCT)
    return not ours or _allowed_everywhere(frames)


def watch_file(path: Path) -> None:
    """Have the stalls that a process writes there fail the test that runs."""
    files.setdefault(path, 0)


def forget_file(path: Path) -> None:
    """Before the file goes."""
    _read(path)
    files.pop(path, None)


def take() -> list[Stall]:
    """What was seen since this was asked last."""
    for path in list(files):
        _read(path)
    limit = LIMIT_SECONDS * _crowding()
    found = [one for one in seen if one.seconds > limit]
    seen.clear()
    return found


def _crowding() -> float:
    """How many want each processor, at least one: they share its caches and the disk as well.

    In the last minute, or now: the average of a run that has just begun is still that of before.
    """
    now = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    return max(1.0, max(os.getloadavg()[0], now) / (os.cpu_count() or 1))


def _read(path: Path) -> None:
    if not path.is_file() or path not in files:
        return
    with path.open() as file:
        file.seek(files[path])
        lines = file.readlines()
        files[path] = file.tell()
    for line in lines:
        one = json.loads(line)
        seen.append(Stall(one["seconds"], (f"({one['process']})", *one["stack"])))
