"""The removal of an application from its server, ordered by the lane like a deployment."""

import asyncio
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import FailureError
from temporalio.workflow import ActivityCancellationType

from activities.inputs import RemovalInput, RemovalRecord
from activities.record import RecordActivities
from activities.remove_application import RemoveApplicationActivity
from workflows import policies
from workflows.failure import failure_of
from workflows.lane_child import LaneChild
from workflows.names import steps_queue
from workflows.records import record
from workflows.shield import shield_until_done


@dataclass(frozen=True)
class RemovalRequest:
    application_id: str
    slug: str
    server: str
    sequence: int
    volumes: bool
    #: Nothing older was in the way when the lane started it.
    proceed: bool = False


@workflow.defn(name="RemovalWorkflow")
class RemovalWorkflow(LaneChild):
    """Removes an application's routes, containers, networks and, if requested, volumes."""

    @workflow.init
    def __init__(self, request: RemovalRequest) -> None:
        super().__init__(may_proceed=request.proceed)
        self._request = request

    @workflow.run
    async def run(self, request: RemovalRequest) -> None:
        async with self._reporting_end():
            try:
                await self._wait_for_turn()
                await self._remove()
            except (asyncio.CancelledError, FailureError) as error:
                failure = failure_of(error, request.server, workflow.cancellation_reason())
                await shield_until_done(self._record(failure.message))
                raise
            await shield_until_done(self._record(None))

    async def _remove(self) -> None:
        await workflow.execute_activity_method(
            RemoveApplicationActivity.remove_application,
            RemovalInput(self._request.application_id),
            task_queue=steps_queue(self._request.server),
            heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=f"remove {self._request.slug}",
            **policies.REMOVAL.options(),
        )

    async def _record(self, failure: str | None) -> None:
        ended = RemovalRecord(self._request.application_id, failure)
        await record(RecordActivities.removal, ended, "record removal")
