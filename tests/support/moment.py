"""Moments of a deployment at which everything stands still, so that it can be killed there."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support.stack import Stack

Moment = tuple[str, ...]
"""Arguments of `stopper.py`."""

_STOPPER = Path(__file__).with_name("stopper.py")
_SECONDS = 300


def file_appears(path: Path) -> Moment:
    """The file is made, or renamed to its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return ("file", str(path.parent), path.name)


def step_begins(stack: Stack, deployment_id: str, step: str) -> Moment:
    """A server worker writes a step to its disk before it does it."""
    return file_appears(stack.data / "server" / "journal" / deployment_id / f"{step}.step")


def container_appears(name: str) -> Moment:
    """The engine made a container of that name, which is not started yet."""
    return ("container", name)


def container_starts(name: str) -> Moment:
    """A container of that name was started."""
    return ("start", name)


def image_appears(name: str) -> Moment:
    """The engine has an image of that name."""
    return ("image", name)


def go_on(stack: Stack) -> None:
    """Let all parts go on that stand still."""
    for pid in stack.children():
        with suppress(ProcessLookupError):  # one that was killed
            os.kill(pid, signal.SIGCONT)


def stand_still(stack: Stack, *parts: str) -> None:
    """Stop these parts, until they go on."""
    pids = stack.pids()
    for part in parts:
        os.kill(pids[part], signal.SIGSTOP)


@asynccontextmanager
async def stopping(stack: Stack, moment: Moment) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Stop every part of a running stack at the moment.

    The block is given what waits until they stand still.
    """
    assert stack.process is not None
    stopper = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", _STOPPER, str(stack.process.pid), *moment,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip

    assert stopper.stdout is not None
    try:
        assert await stopper.stdout.readline() == b"armed\n"
        yield lambda: asyncio.wait_for(stopper.wait(), _SECONDS)
    finally:
        if stopper.returncode is None:
            stopper.kill()
            await stopper.wait()
