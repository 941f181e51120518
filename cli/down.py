"""`aweigh down`: stop what is left of the local stack; with --purge, remove everything."""

import asyncio
import os
import signal
import sys
import time

from aweigh.domain.errors import AweighError
from aweigh.settings import Settings
from cli.up import say
from worker.process import CANNOT_START, load_settings
from worker.purge import purge as purge_installation
from worker.stack import running_stack_pid

_STOP_SECONDS = 60


def down(*, purge: bool, yes: bool) -> None:
    """Stop the stack, and remove everything of it if asked."""
    try:
        settings = load_settings()
        _stop(settings)
        if purge:
            _purge(settings, yes=yes)
    except AweighError as error:
        sys.stderr.write(f"aweigh: {error}\n")
        sys.exit(CANNOT_START)


def _stop(settings: Settings) -> None:
    pid = running_stack_pid(settings)
    if pid is None:
        say(f"No stack runs on {settings.data}.")
        return
    say(f"Stopping the stack on {settings.data} ...")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while running_stack_pid(settings) == pid:
        if time.monotonic() > deadline:
            raise AweighError(f"the stack (pid {pid}) does not stop; end it yourself")
        time.sleep(0.1)
    say("Stopped; running applications stay up.")


def _purge(settings: Settings, *, yes: bool) -> None:
    say(f"This removes every application, container, volume and image of {settings.data},")
    say("and all of its data. It cannot be undone.")
    if not yes and not _is_confirmed():
        say("Nothing was removed.")
        return
    asyncio.run(purge_installation(settings, say))


def _is_confirmed() -> bool:
    try:
        return input("Type `remove` to go on: ").strip() == "remove"
    except EOFError:  # nobody is there to ask
        say("")
        return False
