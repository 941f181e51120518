"""Limits of a running build: its time, and the disk's reserve."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Final

from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed
from aweigh.servers.disk import DiskReserve

#: How often the disk is checked while code of the repository runs.
_CHECK_SECONDS: Final = 1.0


async def within_limits(
    work: Coroutine[Any, Any, None], disk: DiskReserve, *, what: str, seconds: float, too_long: str
) -> None:
    """Run `work` for at most `seconds`, while the disk keeps its reserve.

    `what` is the subject of the messages, `too_long` the message for a timeout.

    Raises:
        StepFailed: `timed_out` or `disk_full`; the work has ended by then.
    """
    deadline = time.monotonic() + seconds
    working = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({working}, timeout=_CHECK_SECONDS))[0]:
            disk.refuse_if_below(what)
            if time.monotonic() > deadline:
                raise StepFailed(Reason.TIMED_OUT, too_long)
        await working
    finally:
        working.cancel()
        await asyncio.wait({working})
