"""The reconciliation of a server: its containers, the database and Temporal, compared."""

from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import FailureError
from temporalio.workflow import ActivityCancellationType

from activities.comparison import ComparisonActivities
from activities.inputs import ComparisonInput, ReconcileInput
from activities.reconcile import ReconcileActivity
from workflows import policies
from workflows.names import CONTROL_QUEUE, steps_queue


@dataclass(frozen=True)
class ReconcileRequest:
    server: str


@workflow.defn(name="ReconcileWorkflow")
class ReconcileWorkflow:
    """Corrects the server and the records; a schedule starts it for each server."""

    @workflow.run
    async def run(self, request: ReconcileRequest) -> None:
        await self._reconcile_server(request.server)
        compared = await workflow.execute_activity_method(
            ComparisonActivities.compare,
            ComparisonInput(request.server),
            task_queue=CONTROL_QUEUE,
            summary="compare records with Temporal",
            **policies.COMPARE.options(),
        )
        if compared.changed:  # a deployment that has ended just now may have left containers
            await self._reconcile_server(request.server)

    async def _reconcile_server(self, server: str) -> None:
        try:
            await workflow.execute_activity_method(
                ReconcileActivity.reconcile,
                ReconcileInput(server),
                task_queue=steps_queue(server),
                heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
                cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                summary=f"reconcile {server}",
                **policies.RECONCILE.options(),
            )
        except FailureError as error:
            workflow.logger.warning("server %s is not reconciled: %s", server, error)
