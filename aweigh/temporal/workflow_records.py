"""The records that workflows make, each in its own transaction.

Any client of Temporal can call these activities with real ids. A record is accepted only from the
workflow that the lane started for that very deployment or removal.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from aweigh.core.errors import NotFound
from aweigh.deployments.deployment import Reason, RecordedState
from aweigh.deployments.step_errors import StepFailed
from aweigh.deployments.workflow_ids import ExpectedWorkflow, WorkflowRun, removal_workflow
from aweigh.store import deployments, lifecycle, removals
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow
from aweigh.temporal.executions import Executions

NO_RECORD: Final = "The deployment has no record any more."

_log = structlog.get_logger(__name__)


class WorkflowRecords:
    def __init__(self, store: Store, executions: Executions) -> None:
        self._store = store
        self._executions = executions

    async def started(self, deployment_id: str, run: WorkflowRun) -> RecordedState | None:
        """Return None if the deployment may proceed, else how it ended."""
        with _ignoring_unknown():
            await self._check_run_of(deployment_id, run)
            async with self._store.write() as tx:
                if await lifecycle.started(tx, deployment_id, run.run_id):
                    return None
                return await lifecycle.standing(tx, deployment_id)
        return RecordedState(message=NO_RECORD)

    async def standing(self, deployment_id: str, run: WorkflowRun) -> RecordedState:
        with _ignoring_unknown():
            await self._check_run_of(deployment_id, run)
            async with self._store.read() as tx:
                return await lifecycle.standing(tx, deployment_id)
        return RecordedState(message=NO_RECORD)

    async def succeeded(self, deployment_id: str, run: WorkflowRun) -> None:
        with _ignoring_unknown():
            await self._check_run_of(deployment_id, run)
            async with self._store.write() as tx:
                await lifecycle.succeeded(tx, deployment_id, run.run_id)

    async def failed(
        self, deployment_id: str, reason: Reason, message: str, *, run: WorkflowRun,
        superseded_by: str | None,
    ) -> RecordedState:  # fmt: skip
        with _ignoring_unknown():
            await self._check_run_of(deployment_id, run)
            async with self._store.write() as tx:
                await lifecycle.failed(
                    tx, deployment_id, reason, message, run_id=run.run_id,
                    superseded_by=superseded_by,
                )  # fmt: skip
                return await lifecycle.standing(tx, deployment_id)
        return RecordedState()

    async def removal(self, application_id: str, failure: str | None, run: WorkflowRun) -> None:
        with _ignoring_unknown():
            async with self._store.read() as tx:
                row = await tx.session.get(ApplicationRow, application_id)
            if row is None:
                raise NotFound(f"there is no application {application_id!r}")
            sequence = row.removal_sequence
            if sequence is None or row.removed_at:
                return
            await self._check(removal_workflow(row.slug, sequence), run)
            async with self._store.write() as tx:
                if failure is None:
                    await removals.succeeded(tx, application_id, sequence)
                else:
                    await removals.failed(tx, application_id, failure, sequence)

    async def _check_run_of(self, deployment_id: str, run: WorkflowRun) -> None:
        """Check that the run is the deployment's own; a run on record was checked before.

        Raises:
            StepFailed: it is not.
        """
        async with self._store.read() as tx:
            row = await deployments.find_row(tx, deployment_id)
            expected = await deployments.workflow_of(tx, row)
        if (run.workflow_id, run.run_id) != (expected.id, row.run_id):
            await self._check(expected, run)

    async def _check(self, expected: ExpectedWorkflow, run: WorkflowRun) -> None:
        own = run.workflow_id == expected.id
        if not own or not await self._executions.is_run_of(expected, run.run_id):
            raise StepFailed(
                Reason.INTERNAL,
                f"Record refused: run {run.run_id} of {run.workflow_id} is not the run of "
                f"{expected.id} that its lane started.",
            )


@contextmanager
def _ignoring_unknown() -> Iterator[None]:
    """Ignore unknown subjects: a database restored from a backup lacks what came after it."""
    try:
        yield
    except NotFound as error:
        _log.warning("no record to update", error=str(error))
