"""How far a step is, told to its workflow while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from temporalio import activity
from temporalio.service import RPCError

from activities.inputs import Progress

if TYPE_CHECKING:
    from activities.step import OpenStep

#: The name of the workflow's signal that takes it.
PROGRESS: Final = "progress"
#: Each telling costs the workflow a task; a pull of an hour makes 720, and most steps none.
_TELL_SECONDS: Final = 5.0


@asynccontextmanager
async def telling(opened: OpenStep) -> AsyncIterator[None]:
    """Show how far the step is among the current details of its workflow."""
    teller = asyncio.create_task(_tell(opened))
    try:
        yield
    finally:
        teller.cancel()


async def _tell(opened: OpenStep) -> None:
    info = activity.info()
    if info.workflow_id is None:
        return
    workflow = activity.client().get_workflow_handle(info.workflow_id, run_id=info.workflow_run_id)
    told = ""
    while True:
        await asyncio.sleep(_TELL_SECONDS)
        if (shown := opened.shown) != told:
            with suppress(RPCError):  # what it says next is told too
                await workflow.signal(PROGRESS, Progress(opened.name, shown))
                told = shown
