"""The removal of an application from its server, ordered by the lane like a deployment."""

import asyncio
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import FailureError
from temporalio.workflow import ActivityCancellationType

from activities.housekeeping import HousekeepingActivities
from activities.inputs import RemovalInput, RemovalRecord
from activities.record import RecordActivities
from workflows import policies
from workflows.failure import failure_of
from workflows.lane_child import LaneChild
from workflows.names import CONTROL_QUEUE, steps_queue
from workflows.persistence import to_the_end


@dataclass(frozen=True)
class RemovalOrder:
    application_id: str
    slug: str
    server: str
    sequence: int
    volumes: bool
    #: Nothing older was in the way when the lane started it.
    proceed: bool = False


@workflow.defn(name="RemovalWorkflow")
class RemovalWorkflow(LaneChild):
    """Takes an application's routes, containers, networks and, if asked, volumes away."""

    @workflow.init
    def __init__(self, order: RemovalOrder) -> None:
        super().__init__(may_proceed=order.proceed)

    @workflow.run
    async def run(self, order: RemovalOrder) -> None:
        try:
            await self._remove_in_turn(order)
        except (asyncio.CancelledError, FailureError):
            await to_the_end(self._tell_lane())
            raise
        await to_the_end(self._tell_lane())

    async def _remove_in_turn(self, order: RemovalOrder) -> None:
        try:
            await self._turn()
            await self._remove(order)
        except (asyncio.CancelledError, FailureError) as error:
            failure = failure_of(error, order.server, workflow.cancellation_reason())
            await to_the_end(self._record(order, failure.message))
            raise
        await to_the_end(self._record(order, None))

    async def _remove(self, order: RemovalOrder) -> None:
        await workflow.execute_activity_method(
            HousekeepingActivities.remove_application,
            RemovalInput(order.application_id),
            task_queue=steps_queue(order.server),
            heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=f"remove {order.slug}",
            **policies.REMOVAL.options(),
        )

    async def _record(self, order: RemovalOrder, failure: str | None) -> None:
        await workflow.execute_activity_method(
            RecordActivities.removal,
            RemovalRecord(order.application_id, failure),
            task_queue=CONTROL_QUEUE,
            summary="record removal",
            **policies.RECORD.options(),
        )
