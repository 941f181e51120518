"""`aweigh up`: the local stack in the foreground."""

import asyncio
import sys
import time

from aweigh.settings import Settings
from worker.installation import ADMIN, read_secret
from worker.process import run
from worker.stack import Stack


def up(*, demo: bool, once: bool) -> None:
    """Start the stack, say where it is, and run until a signal (or the end of the demo)."""

    async def main(settings: Settings, stop: asyncio.Event) -> None:
        began = time.monotonic()
        say(f"Starting the stack on {settings.data}")
        ready = asyncio.Event()
        stack = asyncio.create_task(Stack(settings).run(stop, ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({stack, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if ready.is_set():
            _greet(settings, time.monotonic() - began)
        await stack

    _ = (demo, once)
    run(main)


def _greet(settings: Settings, seconds: float) -> None:
    say(f"Ready after {seconds:.1f} s.")
    say(f"  API           {settings.api_base}")
    say(f"  Temporal's UI {settings.ui_base}/namespaces/{settings.temporal_namespace}")
    say(f"  Logs          {settings.data / 'logs'}")
    say(f"  Admin token   {read_secret(settings.tokens / ADMIN)}")
    say(f"                (kept in {settings.tokens / ADMIN})")
    say("Ctrl-C stops the stack; running applications stay up.")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
