"""Deletion of deployments: a record with its steps, its log, and its release if nobody else has it.

The server takes the image away by itself: it keeps those of recorded deployments only.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import delete, func, select

from aweigh.core.errors import Conflict
from aweigh.deployments import history
from aweigh.deployments.application import KeepDeployments
from aweigh.deployments.deployment import OPEN, DeploymentState, EventKind
from aweigh.deployments.history import HistoryEntry, Needs
from aweigh.store import applications, branch_polls, deployments, events, outbox, servers
from aweigh.store.database import Transaction
from aweigh.store.tables import ApplicationRow, DeploymentRow, LogChunk, ReleaseRow, StepRow

#: More than can stand in the way of pruning: what is live or open, or the only way back.
_OLDEST: Final = 200
_ENTRIES: Final = select(
    DeploymentRow.id, DeploymentRow.sequence, DeploymentRow.state, DeploymentRow.release_id,
    DeploymentRow.finished_at,
)  # fmt: skip


async def delete_ended(tx: Transaction, deployment_id: str, keep_releases: int) -> None:
    """Delete an ended deployment; `keep_releases`: of so many releases the server keeps the images.

    Raises:
        NotFound
        Conflict: it has not ended, or something needs it.
    """
    row = await deployments.find_row(tx, deployment_id, lock=True)
    if not DeploymentState(row.state).ended:
        raise Conflict(
            f"{row.id} has not ended ({row.state}); cancel it first: "
            f"POST /v1/deployments/{row.id}/cancel"
        )
    application = await applications.locked_row(tx, row.application_id)
    needs = await _needs(tx, application, keep_releases)
    if reason := needs.reason_to_keep(_entry(row)):
        raise Conflict(f"{row.id} cannot be deleted: {reason}")
    await _delete(tx, application, row)


async def expired(
    tx: Transaction, application: ApplicationRow, keep: KeepDeployments, keep_releases: int
) -> list[str]:
    """Return the ids of an application's oldest deployments that its history need not keep."""
    query = _ENTRIES.where(DeploymentRow.application_id == application.id)
    count = select(func.count()).where(DeploymentRow.application_id == application.id)
    total = await tx.session.scalar(count) or 0
    found = await tx.session.execute(query.order_by(DeploymentRow.sequence).limit(_OLDEST))
    old = history.expired([_entry(one) for one in found], total, keep, tx.now)
    needs = await _needs(tx, application, keep_releases)
    return [one.id for one in history.deletable(needs, old)]


async def delete_all(
    tx: Transaction, application_id: str, ids: Sequence[str], keep_releases: int
) -> int:
    """Delete those of an application's deployments that nothing needs; return how many."""
    query = select(DeploymentRow).where(
        DeploymentRow.id.in_(ids), DeploymentRow.application_id == application_id
    )
    # Locked in one order, and before the application, as everywhere.
    rows = list(await tx.session.scalars(query.order_by(DeploymentRow.id).with_for_update()))
    application = await applications.locked_row(tx, application_id)
    needs = await _needs(tx, application, keep_releases)
    by_id = {row.id: row for row in rows}
    found = history.deletable(needs, [_entry(row) for row in rows])
    for one in found:
        await _delete(tx, application, by_id[one.id])
    return len(found)


async def _needs(tx: Transaction, application: ApplicationRow, keep_releases: int) -> Needs:
    """Nothing of a removed application is live, and nothing can be rolled back to."""
    query = _ENTRIES.where(DeploymentRow.application_id == application.id)
    succeeded = query.where(DeploymentRow.state == DeploymentState.SUCCEEDED)
    newest_first = succeeded.order_by(DeploymentRow.sequence.desc()).limit(keep_releases)
    live = (await tx.session.execute(query.where(DeploymentRow.id == application.live))).first()
    kept = () if application.removed_at else await tx.session.execute(newest_first)
    opened = await tx.session.execute(query.where(DeploymentRow.state.in_(OPEN)))
    return Needs(
        live=_entry(live) if live else None,
        kept=tuple(_entry(one) for one in kept),
        opened=tuple(_entry(one) for one in opened),
        reported=await servers.reported_live(tx, application.server),
    )


def _entry(row: Any) -> HistoryEntry:
    """`row`: a deployment, or the same columns of one."""
    return HistoryEntry(
        id=row.id, sequence=row.sequence, state=DeploymentState(row.state),
        release=row.release_id, finished_at=row.finished_at,
    )  # fmt: skip


async def _delete(tx: Transaction, application: ApplicationRow, row: DeploymentRow) -> None:
    commit = (await deployments.whole(tx, row)).commit
    await events.record(tx, EventKind.DELETED, row)
    await branch_polls.remember_deleted(tx, application, row, commit.id if commit else None)
    await outbox.close_all(tx, [row.id])
    await tx.session.flush()
    for table in (StepRow, LogChunk):
        await tx.session.execute(delete(table).where(table.deployment_id == row.id))
    await tx.session.execute(delete(DeploymentRow).where(DeploymentRow.id == row.id))
    shared = select(DeploymentRow.id).where(DeploymentRow.release_id == row.release_id).limit(1)
    if await tx.session.scalar(shared) is None:
        await tx.session.execute(delete(ReleaseRow).where(ReleaseRow.id == row.release_id))
