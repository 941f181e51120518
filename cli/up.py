"""`aweigh up`: the local stack in the foreground."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from aweigh.core.errors import AweighError
from aweigh.core.settings import Settings
from worker.process import INTERRUPTED, run
from worker.secrets import ADMIN, read_secret
from worker.stack import Stack

if TYPE_CHECKING:
    from cli.demo.repository import Repository


def up(*, demo: bool, once: bool) -> None:
    """Start the stack, say where it is, and run until a signal (or the end of the demo)."""

    async def main(settings: Settings, stop: asyncio.Event) -> int:
        began = time.monotonic()
        say(f"Starting the stack on {settings.data}")
        ready = asyncio.Event()
        with _repository(settings) if demo else nullcontext() as repository:
            environment = opened_for(repository, settings) if repository else {}
            stack = asyncio.create_task(Stack(settings, environment).run(stop, ready))
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({stack, waiting}, return_when=asyncio.FIRST_COMPLETED)
            code = 0
            if ready.is_set():
                _greet(settings, time.monotonic() - began)
                if repository:
                    code = await _show(settings, repository, stop)
                if once:
                    stop.set()
            await stack
            return code

    run(main)


def _repository(settings: Settings) -> AbstractContextManager[Repository]:
    """What the demo pushes to; it is served before the stack is told where it is."""
    from cli.demo.repository import served

    return served(settings.data / "demo", f"{settings.prefix}-demo")


def opened_for(repository: Repository, settings: Settings) -> dict[str, str]:
    """The one port of this machine that the stack may read from, beside what is set."""
    opened = [*map(str, settings.private_targets), repository.target]
    return {"AWEIGH_PRIVATE_TARGETS": json.dumps(opened)}


async def _show(settings: Settings, repository: Repository, stop: asyncio.Event) -> int:
    """The demo's exit code; a signal ends it."""
    showing = asyncio.create_task(_demonstrate(settings, repository))
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


async def _demonstrate(settings: Settings, repository: Repository) -> bool:
    from cli.demo.push import PushDemo
    from cli.demo.show import Demo

    token = read_secret(settings.tokens / ADMIN)
    swapped = await Demo(settings, token, say).run()
    if os.geteuid() != 0 and not settings.allow_open_build_network:
        say("A push is not shown: builds need a server worker that runs as root,")
        say("or AWEIGH_ALLOW_OPEN_BUILD_NETWORK=true.")
        return swapped
    return await PushDemo(settings, token, repository, say).run() and swapped


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
