"""Workflow executions as Temporal tells of them, for whoever compares."""

from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from aweigh.domain.verdict import WorkflowStatus

_PATIENCE: Final = timedelta(seconds=5)
#: A workflow task that failed this often will go on failing: its code or its history is wrong.
_HOPELESS_ATTEMPTS: Final = 10


class Executions:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def status(self, workflow_id: str) -> WorkflowStatus:
        """Raises: RPCError when Temporal does not answer."""
        found = await self._describe(workflow_id)
        if found is None:
            return WorkflowStatus.UNKNOWN
        if found.status is not WorkflowExecutionStatus.RUNNING:
            return WorkflowStatus.CLOSED
        attempts = found.raw_description.pending_workflow_task.attempt
        return WorkflowStatus.STUCK if attempts >= _HOPELESS_ATTEMPTS else WorkflowStatus.RUNNING

    async def terminate(self, workflow_id: str, why: str) -> None:
        """End it; one that has ended is fine."""
        try:
            handle = self._client.get_workflow_handle(workflow_id)
            await handle.terminate(reason=why, rpc_timeout=_PATIENCE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def _describe(self, workflow_id: str) -> WorkflowExecutionDescription | None:
        try:
            handle = self._client.get_workflow_handle(workflow_id)
            return await handle.describe(rpc_timeout=_PATIENCE)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
