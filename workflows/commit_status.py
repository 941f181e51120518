"""Telling GitHub how a deployment stands, beside it: no deployment waits for GitHub."""

from dataclasses import dataclass

from temporalio import workflow

from activities.commit_status import CommitStatusActivities
from activities.inputs import StatusInput, StatusTold
from workflows import policies
from workflows.names import CONTROL_QUEUE


@dataclass(frozen=True)
class StatusOrder:
    deployment_id: str


@workflow.defn(name="CommitStatusWorkflow")
class CommitStatusWorkflow:
    """Shows one state of a deployment beside its commit."""

    @workflow.run
    async def run(self, order: StatusOrder) -> StatusTold:
        return await workflow.execute_activity_method(
            CommitStatusActivities.tell,
            StatusInput(order.deployment_id),
            task_queue=CONTROL_QUEUE,
            summary="tell GitHub",
            **policies.COMMIT_STATUS.options(),
        )
