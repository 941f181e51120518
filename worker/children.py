"""A file that lists the processes of a stack, so that a killed stack can be cleaned up."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from aweigh.core.errors import StartupError
from aweigh.core.files import write_durably

#: Every process of the stack stops within half of this.
STOP_SECONDS: Final = 20.0
_LIST: Final = "stack.children"


def boot_id() -> str:
    """Return the kernel's id of this boot, which differs on a clone of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def list_processes(data: Path, pids: Iterable[int]) -> None:
    """Write the running processes with their start times, because process ids are reused."""
    lines = [f"{pid} {started}\n" for pid in pids if (started := _started(pid))]
    write_durably(data / _LIST, "".join(lines))


async def stop_left_over(data: Path, grace: float = STOP_SECONDS) -> int:
    """Stop listed processes that still run, by force after `grace` seconds; return their number.

    Raises:
        StartupError: a process survived SIGKILL.
    """
    found = left = _left_over(data)
    for how in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, how)
                os.killpg(pid, signal.SIGCONT)  # a stopped process does not handle signals
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while left := _left_over(data):
                    await asyncio.sleep(0.05)
    if left:
        raise StartupError(f"processes of a killed stack do not stop: {left}; kill them")
    return len(found)


def _left_over(data: Path) -> list[int]:
    file = data / _LIST
    lines = file.read_text().splitlines() if file.exists() else []
    listed = [(int(pid), started) for pid, started in (line.split(" ") for line in lines)]
    return [pid for pid, started in listed if _started(pid) == started]


def _started(pid: int) -> str | None:
    """Return boot id and start time of a running process; None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else f"{boot_id()}/{fields[18]}"
