"""Rotation of the stack's log files, which its processes write themselves."""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: A log of this size is rotated, in bytes; one older file is kept.
LARGEST: Final = 10_000_000
_TAIL_BYTES: Final = 8192


def rotate(log: Path, writer: int) -> None:
    """Move a log's content to a second file without losing a line of its writer, a child process.

    The writer opened the file for appending, so it continues at the new end.
    """
    with log.open("r+b") as current, log.with_name(f"{log.name}.1").open("wb") as older:
        shutil.copyfileobj(current, older)
        with _stopped(writer):
            shutil.copyfileobj(current, older)  # written meanwhile
            current.truncate(0)


@contextlib.contextmanager
def _stopped(child: int) -> Iterator[None]:
    """Suspend the child inside the block."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):  # it has just ended
        os.kill(child, signal.SIGSTOP)
        os.waitid(os.P_PID, child, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)


def last_line(log: Path) -> str:
    """Return the last line that is not empty, from the end of the log."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
