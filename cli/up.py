"""`aweigh up`: the local stack in the foreground."""

import asyncio
import sys
import time

from aweigh.domain.errors import AweighError
from aweigh.settings import Settings
from worker.process import INTERRUPTED, run
from worker.secrets import ADMIN, read_secret
from worker.stack import Stack


def up(*, demo: bool, once: bool) -> None:
    """Start the stack, say where it is, and run until a signal (or the end of the demo)."""

    async def main(settings: Settings, stop: asyncio.Event) -> int:
        began = time.monotonic()
        say(f"Starting the stack on {settings.data}")
        ready = asyncio.Event()
        stack = asyncio.create_task(Stack(settings).run(stop, ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({stack, waiting}, return_when=asyncio.FIRST_COMPLETED)
        code = 0
        if ready.is_set():
            _greet(settings, time.monotonic() - began)
            if demo:
                code = await _show(settings, stop)
            if once:
                stop.set()
        await stack
        return code

    run(main)


async def _show(settings: Settings, stop: asyncio.Event) -> int:
    """The demo's exit code; a signal ends it."""
    from cli.demo.show import Demo

    showing = asyncio.create_task(Demo(settings, read_secret(settings.tokens / ADMIN), say).run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({showing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not showing.done():
        showing.cancel()
        return INTERRUPTED
    try:
        return 0 if showing.result() else 1
    except AweighError as error:
        say(f"The demo failed: {error}")
        return 1


def _greet(settings: Settings, seconds: float) -> None:
    say(f"Ready after {seconds:.1f} s.")
    say(f"  API           {settings.api_base}")
    say(f"  Temporal's UI {settings.ui_base}/namespaces/{settings.temporal_namespace}")
    say(f"  Logs          {settings.data / 'logs'}")
    if sys.stdout.isatty():  # never into a log
        say(f"  Admin token   {read_secret(settings.tokens / ADMIN)}")
        say(f"                (kept in {settings.tokens / ADMIN})")
    else:
        say(f"  Admin token   in {settings.tokens / ADMIN}")
    say("Ctrl-C stops the stack; running applications stay up.")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
