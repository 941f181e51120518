"""Whoever reaches Temporal's port, and what they start there by hand."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy, WorkflowIDConflictPolicy
from temporalio.exceptions import FailureError
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "forger"


@dataclass(frozen=True)
class Forgery:
    """Activities that a made-up workflow asks for, one after the other."""

    asked: list[dict[str, Any]]


@workflow.defn(name="Forger")
class Forger:
    @workflow.run
    async def run(self, forgery: Forgery) -> list[str]:
        said = []
        for one in forgery.asked:
            try:
                await workflow.execute_activity(
                    one["name"],
                    one["payload"],
                    task_queue=one["queue"],
                    start_to_close_timeout=timedelta(seconds=60),
                    retry_policy=RetryPolicy(maximum_attempts=1),
                )
                said.append("")
            except FailureError as error:
                said.append(str(error.cause or error))
        return said


async def forge(client: Client, workflow_id: str, asked: list[dict[str, Any]]) -> list[str]:
    """Have activities run for a workflow of one's own under any id; what came of each."""
    async with Worker(
        client, task_queue=QUEUE, workflows=[Forger], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        return await client.execute_workflow(
            Forger.run, Forgery(asked), id=workflow_id, task_queue=QUEUE
        )


async def start(client: Client, kind: str, workflow_id: str, payload: dict[str, Any]) -> None:
    """Start a workflow of Aweigh's by hand, and wait until it has ended."""
    handle = await client.start_workflow(
        kind, payload, id=workflow_id, task_queue="control",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )  # fmt: skip
    with suppress(WorkflowFailureError):
        await handle.result()


async def submit(client: Client, lane: str, application_id: str, *turns: dict[str, Any]) -> None:
    """Signal the lane of an application, as the relay does."""
    for turn in turns:
        await client.start_workflow(
            "ApplicationLane", {"application_id": application_id}, id=lane, task_queue="control",
            start_signal="submit", start_signal_args=[turn],
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )  # fmt: skip


async def ended(client: Client, workflow_id: str) -> None:
    """Wait for the end of a workflow, if there is one."""
    with suppress(WorkflowFailureError, RPCError):
        await client.get_workflow_handle(workflow_id).result()


async def alone(client: Client, name: str, queue: str, payload: dict[str, Any]) -> str:
    """Have an activity run for no workflow at all; what it says."""
    try:
        await client.execute_activity(
            name, payload, id=f"alone/{name}/{payload}"[:200], task_queue=queue,
            start_to_close_timeout=timedelta(seconds=60),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 (whatever it says)
        return str(error.__cause__ or error)
    return ""
