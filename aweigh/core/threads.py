"""Blocking calls beside the event loop."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(call: Callable[[], T], stop: Callable[[], None] | None = None) -> T:
    """Run a blocking call in a thread, and never leave it behind.

    A thread goes on after a cancel. Whoever holds a lock round this call would let go of it while
    the engine is still creating; so a cancel waits until the call has ended. A call that may wait
    for long has a `stop`, which ends it from here; only then does a timeout around it end anything.
    """
    running = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if stop:
            stop()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # retrieved: the cancel is what the caller hears of
        raise
