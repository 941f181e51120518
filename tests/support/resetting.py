"""What people do to a deployment in Temporal itself."""

import asyncio
import sys
from pathlib import Path

from tests.support.stack import Stack


async def temporal(stack: Stack, *arguments: str) -> str:
    """Run Temporal's own command line."""
    binary = Path(sys.executable).parent / "temporal"
    process = await asyncio.create_subprocess_exec(
        binary, *arguments, "--namespace", "aweigh", "--address", stack.temporal_address,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


async def task_before(stack: Stack, deployment_id: str, step: str) -> str:
    """The number of the `WorkflowTaskCompleted` event right before a step was scheduled."""
    client = await stack.temporal()
    workflow = await stack.workflow_of(deployment_id)
    history = await client.get_workflow_handle(workflow).fetch_history()
    for event in history.events:
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_id == step:
            return str(scheduled.workflow_task_completed_event_id)
    raise AssertionError(f"{step} was never scheduled")


async def reset_to_start(stack: Stack, deployment_id: str) -> None:
    """Let it run from its very beginning."""
    await temporal(
        stack, "workflow", "reset", "--workflow-id", await stack.workflow_of(deployment_id),
        "--type", "FirstWorkflowTask", "--reason", "a mistake",
    )  # fmt: skip


async def reset_to(stack: Stack, deployment_id: str, step: str) -> None:
    """Let it go on from right before a step; what came earlier is taken from its history."""
    number = await task_before(stack, deployment_id, step)
    await temporal(
        stack, "workflow", "reset", "--workflow-id", await stack.workflow_of(deployment_id),
        "--event-id", number, "--reason", "a mistake",
    )  # fmt: skip
