"""Work that a cancel must not interrupt."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")


async def shield_until_done(work: Coroutine[Any, Any, Result]) -> Result:
    """Await the work to its end, and drop every cancel that arrives meanwhile.

    Errors of the work are raised as usual.
    """
    task = asyncio.create_task(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    return await task
