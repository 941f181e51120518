"""`aweigh down`: stop what is left of the local stack; with --purge, remove everything."""

import asyncio
import os
import signal
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from aweigh.core.errors import AweighError
from cli.up import say
from worker.children import stop_left_over
from worker.lock import hold, lock_file, running_stack
from worker.process import CANNOT_START, load_settings
from worker.purge import purge as purge_installation

_STOP_SECONDS = 60
#: Asked to remove everything, and then told not to.
DECLINED = 1


def down(*, purge: bool, yes: bool) -> None:
    """Stop the stack, and remove everything of it if asked."""
    try:
        settings = load_settings()
        if purge and not yes:
            _ask(settings.data)
        stopped = _stop(settings.data)
        with _held(settings.data):
            _stop_left_over(settings.data, stopped=stopped)
            if purge:
                asyncio.run(purge_installation(settings, say))
    except PermissionError as error:
        sys.stderr.write(f"aweigh: cannot read {error.filename}; stop the stack as its owner\n")
        sys.exit(CANNOT_START)
    except AweighError as error:
        sys.stderr.write(f"aweigh: {error}\n")
        sys.exit(CANNOT_START)


def _stop(data: Path) -> bool:
    """Whether a stack ran."""
    pid = running_stack(data)
    if pid is None:
        return False
    say(f"Stopping the stack on {data} ...")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while running_stack(data) == pid:
        if time.monotonic() > deadline:
            raise AweighError(f"the stack (pid {pid}) does not stop; end it yourself")
        time.sleep(0.1)
    say("Stopped; running applications stay up.")
    return True


def _held(data: Path) -> AbstractContextManager[object]:
    """No stack starts inside the block; where none ever ran, no lock is left either."""
    return hold(data) if lock_file(data).exists() else nullcontext()


def _stop_left_over(data: Path, *, stopped: bool) -> None:
    if count := asyncio.run(stop_left_over(data)):
        say(f"Stopped {count} processes of a stack that was killed; running applications stay up.")
    elif not stopped:
        say(f"No stack runs on {data}.")


def _ask(data: Path) -> None:
    """Before anything is touched: whoever declines finds everything as it was."""
    say(f"This removes every application, container, volume and image of {data},")
    say("and all of its data. It cannot be undone.")
    if not _is_confirmed():
        say("Nothing was stopped or removed.")
        sys.exit(DECLINED)


def _is_confirmed() -> bool:
    try:
        return input("Type `remove` to go on: ").strip() == "remove"
    except EOFError:  # nobody is there to ask
        say("")
        return False
