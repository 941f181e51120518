"""Signals between a lane and the workflows that it orders."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import FailureError

from workflows.shield import shield_until_done


@dataclass(frozen=True)
class EndListener:
    """The workflow id of a lane that waits for the child's end without being its parent."""

    lane: str


@dataclass(frozen=True)
class ChildEnd:
    """The workflow id of a child that has ended."""

    child: str


class LaneChild:
    """A workflow that waits for its turn in a lane.

    Temporal reports its end to the run of the lane that started it, and it does so to later runs.
    """

    def __init__(self, *, may_proceed: bool) -> None:
        self._may_proceed = may_proceed
        self._lane: str | None = None

    @workflow.signal
    def proceed(self) -> None:
        """Nothing older is in the way any more."""
        self._may_proceed = True

    @workflow.signal
    def report_end_to(self, listener: EndListener) -> None:
        """The lane's run that started this workflow has ended, or is about to."""
        self._lane = listener.lane

    async def _wait_for_turn(self) -> None:
        await workflow.wait_condition(lambda: self._may_proceed)

    @asynccontextmanager
    async def _reporting_end(self) -> AsyncIterator[None]:
        """Report the end to the lane, however the work within ends."""
        try:
            yield
        except (asyncio.CancelledError, FailureError):
            await shield_until_done(self._report_end())
            raise
        await shield_until_done(self._report_end())

    async def _report_end(self) -> None:
        if self._lane:
            lane = workflow.get_external_workflow_handle(self._lane)
            with suppress(FailureError):  # the lane has ended too
                await lane.signal("child_ended", ChildEnd(workflow.info().workflow_id))
