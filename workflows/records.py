"""Activities of the control worker that read and write the database for a workflow."""

from typing import Any, TypeVar

from temporalio import workflow
from temporalio.types import MethodAsyncSingleParam
from temporalio.workflow import ActivityCancellationType

from workflows import policies
from workflows.names import CONTROL_QUEUE

Given = TypeVar("Given")
Result = TypeVar("Result")


async def record(
    activity: MethodAsyncSingleParam[Any, Given, Result], given: Given, summary: str
) -> Result:
    """Run the activity until the database has answered, however long it is away."""
    return await workflow.execute_activity_method(
        activity,
        given,
        activity_id=summary.replace(" ", "_"),
        task_queue=CONTROL_QUEUE,
        summary=summary,
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        **policies.RECORD.options(),
    )
