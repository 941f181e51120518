"""Runs blocking calls outside the event loop."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(call: Callable[[], T], stop: Callable[[], None] | None = None) -> T:
    """Run a blocking call in a thread, and always wait until it has ended.

    A thread continues after a cancel. If this function returned at once, the caller would release
    its lock while the engine is still creating something; so a cancel waits for the end of the
    call. A call that may take long needs `stop`, which ends it early; without it, a timeout cannot
    end the call.
    """
    running = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if stop:
            stop()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # retrieve the error: the caller gets the cancel
        raise
