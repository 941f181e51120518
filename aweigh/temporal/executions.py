"""Workflow executions, as Temporal describes them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from aweigh.core.errors import Unavailable
from aweigh.deployments.verdict import WorkflowStatus
from aweigh.deployments.workflow_ids import CONTROL_QUEUE, ExpectedWorkflow

_PATIENCE: Final = timedelta(seconds=5)
#: A workflow task that failed this often keeps failing: its code or its history is wrong.
_HOPELESS_ATTEMPTS: Final = 10


class Executions:
    def __init__(self, connect: Callable[[], Awaitable[Client]]) -> None:
        self._connect = connect

    async def is_run_of(self, expected: ExpectedWorkflow, run_id: str) -> bool:
        """Whether a run is open and belongs to the workflow that may act for its subject.

        Any client of Temporal can start a workflow of that id and type, but not as a child of the
        application's lane, which starts only what the database asks for. A workflow that was reset
        is still its lane's child.

        Raises:
            Unavailable: Temporal does not answer.
        """
        try:
            found = await self._describe(expected.id)
        except (RPCError, RuntimeError) as error:
            raise Unavailable(f"Temporal does not answer ({type(error).__name__})") from error
        return found is not None and (
            found.run_id, found.status, found.workflow_type, found.parent_id, found.task_queue
        ) == (
            run_id, WorkflowExecutionStatus.RUNNING, expected.kind, expected.lane, CONTROL_QUEUE
        )  # fmt: skip

    async def status(self, workflow_id: str) -> WorkflowStatus:
        """Raises: RPCError: Temporal does not answer."""
        found = await self._describe(workflow_id)
        if found is None:
            return WorkflowStatus.UNKNOWN
        if found.status is not WorkflowExecutionStatus.RUNNING:
            return WorkflowStatus.CLOSED
        attempts = found.raw_description.pending_workflow_task.attempt
        return WorkflowStatus.STUCK if attempts >= _HOPELESS_ATTEMPTS else WorkflowStatus.RUNNING

    async def terminate(self, workflow_id: str, why: str) -> None:
        """Terminate a workflow; a closed one is left as it is."""
        try:
            handle = (await self._connect()).get_workflow_handle(workflow_id)
            await handle.terminate(reason=why, rpc_timeout=_PATIENCE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def _describe(self, workflow_id: str) -> WorkflowExecutionDescription | None:
        try:
            handle = (await self._connect()).get_workflow_handle(workflow_id)
            return await handle.describe(rpc_timeout=_PATIENCE)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
