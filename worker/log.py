"""The logs of the stack's parts: files that the parts write themselves, and that do not grow."""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: A log of this size is begun anew; what was in it stays beside it until the next time.
LARGEST: Final = 10_000_000
_TAIL_BYTES: Final = 8192


def rotate(log: Path, writer: int) -> None:
    """Keep what is in the log beside it and empty it; no line of its writer, a child, is lost.

    The writer has opened it for appending, so that it goes on at the new end.
    """
    with log.open("r+b") as current, log.with_name(f"{log.name}.1").open("wb") as older:
        shutil.copyfileobj(current, older)
        with _stopped(writer):
            shutil.copyfileobj(current, older)  # what was written meanwhile
            current.truncate(0)


@contextlib.contextmanager
def _stopped(child: int) -> Iterator[None]:
    """No thread of the child runs inside the block."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):  # it has just ended
        os.kill(child, signal.SIGSTOP)
        os.waitid(os.P_PID, child, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)


def last_line(log: Path) -> str:
    """The last line that says something; only the end of the log is read."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
