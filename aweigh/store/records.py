"""The records a workflow makes, each in its own transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from aweigh.core.errors import NotFound, StepFailed
from aweigh.deployments.deployment import Reason, Standing
from aweigh.deployments.executions import Executions
from aweigh.deployments.workflow_ids import Expected, Run, deployment_workflow, removal_workflow
from aweigh.store import applications, lifecycle, runs
from aweigh.store.database import Store
from aweigh.store.deployments import find_row
from aweigh.store.tables import ApplicationRow

NO_RECORD: Final = "There is no record of the deployment any more."

_log = structlog.get_logger(__name__)


class Records:
    """Only for the workflow that the relay had started for the very deployment or removal.

    Whoever reaches Temporal can ask for these records with real ids; what they say is then refused.
    """

    def __init__(self, store: Store, executions: Executions) -> None:
        self._store = store
        self._executions = executions

    async def started(self, deployment_id: str, run: Run) -> Standing | None:
        """None: the deployment may go on; else how it ended."""
        with _unless_unknown():
            await self._refuse_strangers(deployment_id, run)
            async with self._store.write() as tx:
                if await lifecycle.started(tx, deployment_id, run.run_id):
                    return None
                return await runs.standing(tx, deployment_id)
        return Standing(message=NO_RECORD)

    async def standing(self, deployment_id: str, run: Run) -> Standing:
        with _unless_unknown():
            await self._refuse_strangers(deployment_id, run)
            async with self._store.read() as tx:
                return await runs.standing(tx, deployment_id)
        return Standing(message=NO_RECORD)

    async def succeeded(self, deployment_id: str, run: Run) -> None:
        with _unless_unknown():
            await self._refuse_strangers(deployment_id, run)
            async with self._store.write() as tx:
                await lifecycle.succeeded(tx, deployment_id, run.run_id)

    async def failed(
        self, deployment_id: str, reason: Reason, message: str, *, run: Run,
        superseded_by: str | None,
    ) -> Standing:  # fmt: skip
        with _unless_unknown():
            await self._refuse_strangers(deployment_id, run)
            async with self._store.write() as tx:
                await lifecycle.failed(
                    tx, deployment_id, reason, message, run_id=run.run_id,
                    superseded_by=superseded_by,
                )  # fmt: skip
                return await runs.standing(tx, deployment_id)
        return Standing()

    async def removal(self, application_id: str, failure: str | None, run: Run) -> None:
        with _unless_unknown():
            async with self._store.read() as tx:
                row = await tx.session.get(ApplicationRow, application_id)
            if row is None:
                raise NotFound(f"there is no application {application_id!r}")
            sequence = row.removal_sequence
            if sequence is None or row.removed_at:
                return
            await self._refuse(removal_workflow(row.slug, sequence), run)
            async with self._store.write() as tx:
                if failure is None:
                    await applications.removed(tx, application_id, sequence)
                else:
                    await applications.removal_failed(tx, application_id, failure, sequence)

    async def _refuse_strangers(self, deployment_id: str, run: Run) -> None:
        """Raises: StepFailed: the record is asked for by a workflow that is not the deployment's.

        A run that the database knows was asked about before.
        """
        async with self._store.read() as tx:
            row = await find_row(tx, deployment_id)
            slug = (await tx.session.get_one(ApplicationRow, row.application_id)).slug
        expected = deployment_workflow(slug, row.sequence, row.id)
        if (run.workflow_id, run.run_id) != (expected.id, row.run_id):
            await self._refuse(expected, run)

    async def _refuse(self, expected: Expected, run: Run) -> None:
        own = run.workflow_id == expected.id
        if not own or not await self._executions.is_run_of(expected, run.run_id):
            raise StepFailed(
                Reason.INTERNAL,
                f"Nothing is recorded: run {run.run_id} of {run.workflow_id} is not the run of "
                f"{expected.id} that its lane started.",
            )


@contextmanager
def _unless_unknown() -> Iterator[None]:
    """A database restored from a backup knows nothing of what came after: nobody waits for that."""
    try:
        yield
    except NotFound as error:
        _log.warning("nothing to record", error=str(error))
