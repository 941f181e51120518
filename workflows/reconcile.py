"""Three truths, each about its own thing, compared: the server, the database, Temporal."""

from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import FailureError
from temporalio.workflow import ActivityCancellationType

from activities.comparison import ComparisonActivities
from activities.inputs import ReconcileInput, RecordsInput, RecordsReconciled
from activities.reconcile import ReconcileActivities
from workflows import policies
from workflows.names import CONTROL_QUEUE, steps_queue


@dataclass(frozen=True)
class ReconcileOrder:
    server: str


@workflow.defn(name="ReconcileWorkflow")
class ReconcileWorkflow:
    """Runs on a schedule, one per server; also what ends deployments that nobody else can end."""

    @workflow.run
    async def run(self, order: ReconcileOrder) -> None:
        await self._server(order)
        compared: RecordsReconciled = await workflow.execute_activity_method(
            ComparisonActivities.compare,
            RecordsInput(order.server),
            task_queue=CONTROL_QUEUE,
            summary="compare records with Temporal",
            **policies.COMPARE.options(),
        )
        if compared.changed:  # what just ended may have left something on the server
            await self._server(order)

    async def _server(self, order: ReconcileOrder) -> None:
        try:
            await workflow.execute_activity_method(
                ReconcileActivities.reconcile,
                ReconcileInput(order.server),
                task_queue=steps_queue(order.server),
                heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
                cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                summary=f"reconcile {order.server}",
                **policies.RECONCILE.options(),
            )
        except FailureError as error:
            workflow.logger.warning("the server cannot be asked: %s", error)
