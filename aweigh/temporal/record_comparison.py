"""Compares open records with Temporal and with what a server reports as live, and corrects them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio.service import RPCError, RPCStatusCode

from aweigh.core.errors import BAD_DATA, Unavailable
from aweigh.deployments.deployment import DeploymentState, Reason
from aweigh.deployments.verdict import Verdict, WorkflowStatus, judge
from aweigh.deployments.workflow_ids import (
    deployment_workflow_id,
    lane_id,
    notification_id,
    removal_workflow_id,
)
from aweigh.store import (
    deliveries,
    deployments,
    dispatch,
    lifecycle,
    outbox,
    removals,
    retention,
    servers,
)
from aweigh.store.database import Store
from aweigh.store.dispatch import HandOver
from aweigh.store.tables import ApplicationRow, DeploymentRow
from aweigh.temporal.executions import Executions

_log = structlog.get_logger(__name__)

#: Temporal itself does not answer, whichever workflow is described.
_UNAVAILABLE: Final = (
    RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED,
    RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.UNAUTHENTICATED,
    RPCStatusCode.PERMISSION_DENIED,
)  # fmt: skip

_MESSAGES = {
    Verdict.TERMINATED: "The deployment's workflow was terminated or lost in Temporal. Retry it.",
    Verdict.TIMED_OUT: "The deployment exceeded the time limits of all its steps. Retry it.",
}
_REMOVAL_LOST: Final = (
    "The removal's workflow was terminated or lost in Temporal. Delete the application again."
)


@dataclass(frozen=True)
class ComparedRecords:
    """The number of corrected records, and the subjects that could not be compared."""

    changed: int
    skipped: tuple[str, ...] = ()


@dataclass
class _Subjects:
    """Isolates the errors of one subject from the others."""

    skipped: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def isolate(self, subject: str) -> AsyncIterator[None]:
        try:
            yield
        except Unavailable:
            raise
        except (*BAD_DATA, SQLAlchemyError, RPCError) as error:
            if isinstance(error, RPCError) and error.status in _UNAVAILABLE:
                raise
            _log.exception("a record cannot be compared and is skipped", subject=subject)
            self.skipped.append(subject)


class RecordComparison:
    def __init__(self, store: Store, executions: Executions, keep_logs: timedelta) -> None:
        self._store = store
        self._executions = executions
        self._keep_logs = keep_logs

    async def run(self, server: str, run_id: str) -> ComparedRecords:
        """End deployments and removals that were lost in Temporal; hand over unknown ones again.

        The server reports what is live for this run of the reconciler; without a report, that is
        unknown. Logs and events past their retention are removed.
        """
        async with self._store.read() as tx:
            found = await servers.findings_of(tx, server, run_id)
            opened = await deployments.open_on(tx, server)
            removing = await removals.open_on(tx, server)
        subjects = _Subjects()
        for slug in sorted({slug for _, slug in (*opened, *removing)}):
            # The relay starts a terminated lane again, with everything that is still open.
            async with subjects.isolate(lane_id(slug)):
                await self._status(lane_id(slug))
        changed = 0
        for deployment, slug in opened:
            async with subjects.isolate(deployment):
                live = found.is_live(deployment) if found else None
                changed += await self._compare(deployment, slug, live)
        for application, _ in removing:
            async with subjects.isolate(application):
                changed += await self._compare_removal(application)
        async with self._store.read() as tx:
            verified = found.verified if found else ()
            failed = await deployments.failed_among(tx, server, verified)
        for deployment in failed:
            async with subjects.isolate(deployment):
                changed += await self._correct(deployment)
        async with self._store.write() as tx:
            await retention.forget(tx, self._keep_logs)
            await deliveries.end_forgotten(tx)
        for delivery in await self._overdue_deliveries():
            async with subjects.isolate(delivery.delivery_id):
                changed += await self._compare_delivery(delivery)
        return ComparedRecords(changed, tuple(subjects.skipped))

    async def _overdue_deliveries(self) -> list[HandOver]:
        async with self._store.read() as tx:
            found = await dispatch.hand_overs(tx, await deliveries.overdue(tx))
        return list(found.values())

    async def _compare_delivery(self, one: HandOver) -> bool:
        workflow = notification_id(one.delivery_id, one.kind, one.slug, one.sequence)
        status = await self._status(workflow)
        if status is WorkflowStatus.RUNNING:
            return False
        async with self._store.write() as tx:
            if status is WorkflowStatus.CLOSED:  # the courier records the end before it ends
                await deliveries.lost(tx, one.delivery_id)
            else:
                await outbox.put(tx, outbox.NOTIFY, one.delivery_id)
        return status is WorkflowStatus.CLOSED

    async def _correct(self, deployment_id: str) -> int:
        """Record as succeeded what is live: its server could not report before it was failed."""
        async with self._store.write() as tx:
            row = await tx.session.get_one(DeploymentRow, deployment_id)
            await lifecycle.succeeded(tx, row.id, row.run_id or "")
        return 1

    async def _status(self, workflow_id: str) -> WorkflowStatus:
        """Return a workflow's status; terminate it if it is stuck."""
        status = await self._executions.status(workflow_id)
        if status is WorkflowStatus.STUCK:
            await self._executions.terminate(workflow_id, "its task keeps failing")
            return WorkflowStatus.CLOSED
        return status

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
            if status is WorkflowStatus.CLOSED:  # a workflow records before it ends
                await removals.failed(tx, row.id, _REMOVAL_LOST, sequence)
            elif await removals.find_open(tx, row.id, sequence):
                await outbox.put(tx, outbox.REMOVE, row.id)
        return status is WorkflowStatus.CLOSED
