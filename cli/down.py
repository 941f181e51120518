"""`aweigh down`: stop the local stack; with --purge, remove the installation."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from aweigh.core.errors import AweighError
from cli.output import one_line_errors, say
from worker.children import stop_left_over
from worker.lock import hold, lock_file, running_stack, stop_stack
from worker.process import load_settings
from worker.purge import purge as purge_installation

#: Exit code after `--purge` was not confirmed.
DECLINED = 1


def down(*, purge: bool, yes: bool) -> None:
    """Stop the stack, and remove the installation if requested."""
    with one_line_errors(), _readable():
        settings = load_settings()
        if purge and not yes:
            _confirm(settings.data)
        stopped = _stop(settings.data)
        with _locked(settings.data):
            _stop_left_over(settings.data, stopped=stopped)
            if purge:
                asyncio.run(purge_installation(settings, say))


@contextmanager
def _readable() -> Iterator[None]:
    """Translate errors of file access. Raises: AweighError: the files belong to another user."""
    try:
        yield
    except PermissionError as error:
        raise AweighError(
            f"cannot read {error.filename}; run this command as the user who started the stack"
        ) from error


def _stop(data: Path) -> bool:
    """Stop the stack; return whether one ran."""
    pid = running_stack(data)
    if pid is None:
        return False
    say(f"Stopping the stack on {data} ...")
    stop_stack(data, pid)
    say("Stopped; running applications stay up.")
    return True


def _locked(data: Path) -> AbstractContextManager[object]:
    """Keep a stack from starting inside the block; create no lock file if no stack ever ran."""
    return hold(data) if lock_file(data).exists() else nullcontext()


def _stop_left_over(data: Path, *, stopped: bool) -> None:
    if count := asyncio.run(stop_left_over(data)):
        say(f"Stopped {count} processes of a stack that was killed; running applications stay up.")
    elif not stopped:
        say(f"No stack runs on {data}.")


def _confirm(data: Path) -> None:
    """Ask before anything is changed, so that declining has no effect."""
    say(f"This removes every application, container, volume and image of {data},")
    say("and all of its data. It cannot be undone.")
    try:
        confirmed = input("Type `remove` to continue: ").strip() == "remove"
    except EOFError:  # there is no terminal
        say("")
        confirmed = False
    if not confirmed:
        say("Nothing was stopped or removed.")
        sys.exit(DECLINED)
