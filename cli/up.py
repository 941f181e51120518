"""`aweigh up`: the local stack in the foreground."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

from aweigh.core.settings import Settings
from cli.output import say
from worker.process import run
from worker.secrets import ADMIN, read_secret
from worker.stack import Stack


def up() -> None:
    """Start the stack, print its addresses, and run until a signal."""
    run(run_stack)


async def run_stack(
    settings: Settings,
    stop: asyncio.Event,
    *,
    environment: Mapping[str, str] = os.environ,
    when_ready: Callable[[], Awaitable[int]] | None = None,
) -> int:
    """Run the stack until `stop` is set; return the exit code of `when_ready`, or 0.

    `environment`: the variables of its processes.

    Raises:
        StartupError: a process cannot start.
    """
    began = time.monotonic()
    say(f"Starting the stack on {settings.data}")
    ready = asyncio.Event()
    stack = asyncio.create_task(Stack(settings, environment).run(stop, ready))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({stack, waiting}, return_when=asyncio.FIRST_COMPLETED)
    code = 0
    if ready.is_set():
        _greet(settings, time.monotonic() - began)
        if when_ready:
            code = await when_ready()
    await stack
    return code


def _greet(settings: Settings, seconds: float) -> None:
    say(f"Ready after {seconds:.1f} s.")
    say(f"  API           {settings.api_base}")
    say(f"  Temporal's UI {settings.ui_base}/namespaces/{settings.temporal_namespace}")
    say(f"  Logs          {settings.data / 'logs'}")
    if sys.stdout.isatty():  # the token must not end up in a log
        say(f"  Admin token   {read_secret(settings.tokens / ADMIN)}")
        say(f"                (kept in {settings.tokens / ADMIN})")
    else:
        say(f"  Admin token   in {settings.tokens / ADMIN}")
    say("Ctrl-C stops the stack; running applications stay up.")
