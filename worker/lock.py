"""The lock on an installation's data, held to run the stack on it or to remove it."""

import fcntl
import os
import signal
import time
from pathlib import Path
from typing import IO, Final

from aweigh.core.errors import AweighError, StartupError

_STOP_SECONDS: Final = 60


def lock_file(data: Path) -> Path:
    return data / "stack.lock"


def hold(data: Path) -> IO[str]:
    """Take the lock until the file is closed; the stack writes its process id into it.

    Raises:
        StartupError: another process holds it.
    """
    lock = lock_file(data).open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise StartupError(
            f"another stack uses {data}; stop it (scripts/down), or set AWEIGH_DATA to another "
            "directory"
        ) from error
    lock.truncate(0)
    return lock


def stop_stack(data: Path, pid: int) -> None:
    """Stop the stack that holds the lock, as Ctrl-C does, and wait for its end.

    Raises:
        AweighError: it still runs after a minute.
    """
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while running_stack(data) == pid:
        if time.monotonic() > deadline:
            raise AweighError(f"the stack (pid {pid}) does not stop; kill it")
        time.sleep(0.1)


def running_stack(data: Path) -> int | None:
    """Return the process id of the stack that runs on this data, or None."""
    path = lock_file(data)
    if not path.exists():
        return None
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(lock.read() or 0) or None
    return None
