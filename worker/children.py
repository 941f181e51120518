"""The processes of a stack, noted down, so that those of a stack that was killed are found."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from aweigh.core.errors import StartupError
from aweigh.core.files import write_durably

#: A part ends within half of this, whatever it does.
STOP_SECONDS: Final = 20.0
_NOTES: Final = "stack.children"


def boot() -> str:
    """Changes with every boot: a clone of this machine has another one."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def note(data: Path, pids: Iterable[int]) -> None:
    """Note which processes run, and when each began: its number alone may be another's later."""
    lines = [f"{pid} {began}\n" for pid in pids if (began := _began(pid))]
    write_durably(data / _NOTES, "".join(lines))


async def stop_left_over(data: Path, grace: float = STOP_SECONDS) -> int:
    """End the noted processes that still run, by force after the grace; how many there were.

    Raises:
        StartupError: one does not end, even killed.
    """
    found = left = _left_over(data)
    for how in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, how)
                os.killpg(pid, signal.SIGCONT)  # one that stands still would not notice
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while left := _left_over(data):
                    await asyncio.sleep(0.05)
    if left:
        raise StartupError(f"processes of a stack that was killed do not end: {left}")
    return len(found)


def _left_over(data: Path) -> list[int]:
    notes = data / _NOTES
    lines = notes.read_text().splitlines() if notes.exists() else []
    noted = [(int(pid), began) for pid, began in (line.split(" ") for line in lines)]
    return [pid for pid, began in noted if _began(pid) == began]


def _began(pid: int) -> str | None:
    """When a process that has not ended began, as no other one of its number did."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else f"{boot()}/{fields[18]}"
