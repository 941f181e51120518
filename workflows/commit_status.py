"""The report of a state to GitHub, in a workflow beside the deployment, which does not wait."""

from dataclasses import dataclass

from temporalio import workflow

from activities.commit_status import CommitStatusActivities
from activities.inputs import CommitStatusInput, CommitStatusResult
from workflows import policies
from workflows.names import CONTROL_QUEUE


@dataclass(frozen=True)
class CommitStatusRequest:
    deployment_id: str


@workflow.defn(name="CommitStatusWorkflow")
class CommitStatusWorkflow:
    """Shows one state of a deployment beside its commit."""

    @workflow.run
    async def run(self, request: CommitStatusRequest) -> CommitStatusResult:
        return await workflow.execute_activity_method(
            CommitStatusActivities.report,
            CommitStatusInput(request.deployment_id),
            task_queue=CONTROL_QUEUE,
            summary="report commit status",
            **policies.COMMIT_STATUS.options(),
        )
