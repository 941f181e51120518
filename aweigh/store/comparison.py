"""What is open in the database, compared with Temporal and with what a server says is live."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from temporalio.service import RPCError, RPCStatusCode

from aweigh.core.errors import BAD_DATA, Unavailable
from aweigh.deployments.deployment import OPEN, DeploymentState, Reason
from aweigh.deployments.executions import Executions
from aweigh.deployments.verdict import Verdict, WorkflowStatus, judge
from aweigh.deployments.workflow_ids import deployment_workflow_id, lane_id, removal_workflow_id
from aweigh.store import applications, lifecycle, outbox, retention, servers
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow, DeploymentRow

_log = structlog.get_logger(__name__)

#: Temporal does not answer, whomever it is asked about.
_AWAY: Final = (
    RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED,
    RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.UNAUTHENTICATED,
    RPCStatusCode.PERMISSION_DENIED,
)  # fmt: skip

_MESSAGES = {
    Verdict.TERMINATED: "Its workflow was terminated or lost in Temporal. Retry it.",
    Verdict.TIMED_OUT: "It took longer than all of its steps may take together. Retry it.",
}
_REMOVAL_LOST: Final = (
    "Its workflow was terminated or lost in Temporal. Delete the application again."
)


@dataclass(frozen=True)
class Compared:
    """How many records were put right, and which subjects could not be looked at."""

    changed: int
    skipped: tuple[str, ...] = ()


@dataclass
class _Apart:
    """Looks at each subject by itself: what is wrong with one keeps no other from its turn."""

    skipped: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def apart(self, subject: str) -> AsyncIterator[None]:
        try:
            yield
        except Unavailable:
            raise
        except (*BAD_DATA, SQLAlchemyError, RPCError) as error:
            if isinstance(error, RPCError) and error.status in _AWAY:
                raise
            _log.exception("a record cannot be compared, and is left out", subject=subject)
            self.skipped.append(subject)


class Comparison:
    def __init__(self, store: Store, executions: Executions, keep_logs: timedelta) -> None:
        self._store = store
        self._executions = executions
        self._keep_logs = keep_logs

    async def run(self, server: str, run_id: str) -> Compared:
        """End what nobody else can end, hand over again what was lost.

        What is live is what the server itself told the API for this run of the reconciler; where it
        told nothing, nobody knows. Logs and events that have had their time are removed.
        """
        async with self._store.read() as tx:
            found = await servers.findings(tx, server, run_id)
        opened, removals = await self._open(server), await self._open_removals(server)
        subjects = _Apart()
        for slug in sorted({slug for _, slug in (*opened, *removals)}):
            # The relay starts it anew, with everything that is still open.
            async with subjects.apart(lane_id(slug)):
                await self._status(lane_id(slug))
        changed = 0
        for deployment, slug in opened:
            async with subjects.apart(deployment):
                live = found.is_live(deployment) if found else None
                changed += await self._compare(deployment, slug, live)
        for application, _ in removals:
            async with subjects.apart(application):
                changed += await self._compare_removal(application)
        for deployment in await self._failed_of(server, found.verified if found else ()):
            async with subjects.apart(deployment):
                changed += await self._correct(deployment)
        async with self._store.write() as tx:
            await retention.forget(tx, self._keep_logs)
        return Compared(changed, tuple(subjects.skipped))

    async def _failed_of(self, server: str, verified: Collection[str]) -> list[str]:
        query = select(DeploymentRow.id).where(
            DeploymentRow.server == server, DeploymentRow.id.in_(verified),
            DeploymentRow.state == DeploymentState.FAILED,
        )  # fmt: skip
        async with self._store.read() as tx:
            return list(await tx.session.scalars(query))

    async def _correct(self, deployment_id: str) -> int:
        """A server that could not tell in time may have made live what was recorded as failed."""
        async with self._store.write() as tx:
            row = await tx.session.get_one(DeploymentRow, deployment_id)
            await lifecycle.succeeded(tx, row.id, row.run_id or "")
        return 1

    async def _status(self, workflow_id: str) -> WorkflowStatus:
        """What Temporal says of a workflow; one that is stuck is ended."""
        status = await self._executions.status(workflow_id)
        if status is WorkflowStatus.STUCK:
            await self._executions.terminate(workflow_id, "its task keeps failing")
            return WorkflowStatus.CLOSED
        return status

    async def _open(self, server: str) -> list[tuple[str, str]]:
        """Each deployment with the slug of its application; no more of a row that may be bad."""
        query = (
            select(DeploymentRow.id, ApplicationRow.slug)
            .join(ApplicationRow, ApplicationRow.id == DeploymentRow.application_id)
            .where(DeploymentRow.server == server, DeploymentRow.state.in_(OPEN))
        )
        async with self._store.read() as tx:
            return [(one, slug) for one, slug in await tx.session.execute(query)]

    async def _open_removals(self, server: str) -> list[tuple[str, str]]:
        query = select(ApplicationRow.id, ApplicationRow.slug).where(
            ApplicationRow.server == server,
            ApplicationRow.removal_sequence.is_not(None),
            ApplicationRow.removal_message.is_(None),
            ApplicationRow.removed_at.is_(None),
        )
        async with self._store.read() as tx:
            return [(one, slug) for one, slug in await tx.session.execute(query)]

    async def _compare(self, deployment_id: str, slug: str, live: bool | None) -> bool:
        async with self._store.read() as tx:
            row = await tx.session.get_one(DeploymentRow, deployment_id)
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

    async def _compare_removal(self, application_id: str) -> bool:
        async with self._store.read() as tx:
            row = await tx.session.get_one(ApplicationRow, application_id)
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
