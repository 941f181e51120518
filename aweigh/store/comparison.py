"""What is open in the database, compared with Temporal and with what a server says is live."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select

from aweigh.adapters.executions import Executions
from aweigh.domain.deployment import OPEN, DeploymentState, Reason
from aweigh.domain.verdict import Verdict, WorkflowStatus, judge
from aweigh.domain.workflow_ids import deployment_workflow_id, lane_id, removal_workflow_id
from aweigh.store import applications, lifecycle, outbox, retention, servers
from aweigh.store.database import Store, Transaction
from aweigh.store.tables import ApplicationRow, DeploymentRow

_MESSAGES = {
    Verdict.TERMINATED: "Its workflow was terminated or lost in Temporal. Retry it.",
    Verdict.TIMED_OUT: "It took longer than all of its steps may take together. Retry it.",
}
_REMOVAL_LOST: Final = (
    "Its workflow was terminated or lost in Temporal. Delete the application again."
)


class Comparison:
    def __init__(self, store: Store, executions: Executions, keep_logs: timedelta) -> None:
        self._store = store
        self._executions = executions
        self._keep_logs = keep_logs

    async def run(self, server: str, run_id: str) -> int:
        """End what nobody else can end, hand over again what was lost; how many were changed.

        What is live is what the server itself told the API for this run of the reconciler; where it
        told nothing, nobody knows. Logs and events that have had their time are removed.
        """
        async with self._store.read() as tx:
            found = await servers.findings(tx, server, run_id)
        open_rows, removals = await self._open(server), await self._open_removals(server)
        for slug in {slug for _, slug in open_rows} | {row.slug for row in removals}:
            # The relay starts it anew, with everything that is still open.
            await self._status(lane_id(slug))
        changed = [
            await self._compare(row, slug, found.is_live(row.id) if found else None)
            for row, slug in open_rows
        ]
        changed += [await self._compare_removal(row) for row in removals]
        async with self._store.write() as tx:
            corrected = await self._correct(tx, server, found.verified if found else ())
            await retention.forget(tx, self._keep_logs)
        return sum(changed) + corrected

    async def _correct(self, tx: Transaction, server: str, verified: Collection[str]) -> int:
        """A server that could not tell in time may have made live what was recorded as failed."""
        query = select(DeploymentRow).where(
            DeploymentRow.server == server, DeploymentRow.id.in_(verified),
            DeploymentRow.state == DeploymentState.FAILED,
        )  # fmt: skip
        rows = list(await tx.session.scalars(query))
        for row in rows:
            await lifecycle.succeeded(tx, row.id, row.run_id or "")
        return len(rows)

    async def _status(self, workflow_id: str) -> WorkflowStatus:
        """What Temporal says of a workflow; one that is stuck is ended."""
        status = await self._executions.status(workflow_id)
        if status is WorkflowStatus.STUCK:
            await self._executions.terminate(workflow_id, "its task keeps failing")
            return WorkflowStatus.CLOSED
        return status

    async def _open(self, server: str) -> list[tuple[DeploymentRow, str]]:
        """Each deployment with the slug of its application."""
        query = (
            select(DeploymentRow, ApplicationRow.slug)
            .join(ApplicationRow, ApplicationRow.id == DeploymentRow.application_id)
            .where(DeploymentRow.server == server, DeploymentRow.state.in_(OPEN))
        )
        async with self._store.read() as tx:
            return [(row, slug) for row, slug in await tx.session.execute(query)]

    async def _open_removals(self, server: str) -> list[ApplicationRow]:
        query = select(ApplicationRow).where(
            ApplicationRow.server == server,
            ApplicationRow.removal_sequence.is_not(None),
            ApplicationRow.removal_message.is_(None),
            ApplicationRow.removed_at.is_(None),
        )
        async with self._store.read() as tx:
            return list(await tx.session.scalars(query))

    async def _compare(self, row: DeploymentRow, slug: str, live: bool | None) -> bool:
        workflow_id = deployment_workflow_id(slug, row.sequence, row.id)
        status = await self._status(workflow_id)
        verdict = judge(
            DeploymentState(row.state), status, started_at=row.started_at, now=datetime.now(UTC),
            live=live,
        )  # fmt: skip
        if verdict is Verdict.LEAVE:
            return False
        if verdict in (Verdict.TIMED_OUT, Verdict.SUCCEEDED):
            await self._executions.terminate(workflow_id, "reconciled")
        async with self._store.write() as tx:
            if verdict is Verdict.HAND_OVER:
                await outbox.put(tx, outbox.DEPLOY, row.id)
            elif verdict is Verdict.SUCCEEDED:
                await lifecycle.succeeded(tx, row.id, row.run_id or "")
            else:
                await lifecycle.failed(tx, row.id, Reason(verdict), _MESSAGES[verdict])
        return verdict is not Verdict.HAND_OVER

    async def _compare_removal(self, row: ApplicationRow) -> bool:
        sequence = row.removal_sequence or 0
        status = await self._status(removal_workflow_id(row.slug, sequence))
        if status is WorkflowStatus.RUNNING:
            return False
        async with self._store.write() as tx:
            if status is WorkflowStatus.CLOSED:  # its own record comes before its end
                await applications.removal_failed(tx, row.id, _REMOVAL_LOST, sequence)
            elif await applications.open_removal(tx, row.id, sequence):
                await outbox.put(tx, outbox.REMOVE, row.id)
        return status is WorkflowStatus.CLOSED
