"""The outbox: what the relay must still hand over to Temporal.

A row is closed by the first record of the requested work, never by the hand-over: a signal can be
lost with a terminated lane, so the relay repeats it until the work is recorded.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from sqlalchemy import bindparam, delete, func, or_, select, update

from aweigh.store.database import Transaction
from aweigh.store.tables import OutboxRow

DEPLOY: Final = "deploy"
CANCEL: Final = "cancel"
REMOVE: Final = "remove"
#: Of a delivery; these rows have a relay of their own.
NOTIFY: Final = "notify"

#: A hand-over is usually followed by a record within this time.
ANSWERED_WITHIN: Final = timedelta(seconds=2)
REPEAT_AFTER: Final = timedelta(seconds=30)
TRY_AGAIN_AFTER: Final = timedelta(seconds=1)


def new(tx: Transaction, kind: str, subject: str) -> OutboxRow:
    """Return a new row, not written yet."""
    return OutboxRow(kind=kind, subject=subject, next_at=tx.now, attempts=0)


_UNANSWERED: Final = select(func.count()).where(
    OutboxRow.kind == DEPLOY, OutboxRow.attempts == 1, OutboxRow.next_at > bindparam("since")
)
_DUE: Final = (
    select(OutboxRow)
    .where(OutboxRow.next_at <= bindparam("now"), OutboxRow.kind != NOTIFY)
    # The longest wait comes first, so that a row that keeps failing delays no other.
    .order_by(OutboxRow.next_at, OutboxRow.id)
    .limit(bindparam("most"))
)
_DUE_AND_KNOWN: Final = _DUE.where(or_(OutboxRow.kind != DEPLOY, OutboxRow.attempts > 0))
_DUE_NOTIFICATIONS: Final = (
    select(OutboxRow)
    .where(OutboxRow.next_at <= bindparam("now"), OutboxRow.kind == NOTIFY)
    .order_by(OutboxRow.next_at, OutboxRow.id)
    .limit(bindparam("most"))
)


async def put(tx: Transaction, kind: str, subject: str) -> None:
    """Request a hand-over; a repeated request makes it due at once."""
    query = select(OutboxRow).where(OutboxRow.kind == kind, OutboxRow.subject == subject)
    row = await tx.session.scalar(query)
    if row is None:
        tx.session.add(new(tx, kind, subject))
    else:
        row.next_at = tx.now


async def close(tx: Transaction, kind: str, subject: str) -> None:
    await tx.session.execute(
        delete(OutboxRow).where(OutboxRow.kind == kind, OutboxRow.subject == subject)
    )


async def close_rows(tx: Transaction, row_ids: Collection[int]) -> None:
    await tx.session.execute(delete(OutboxRow).where(OutboxRow.id.in_(row_ids)))


async def close_all(tx: Transaction, deployment_ids: Collection[str]) -> None:
    """Close all rows of these deployments."""
    gone = OutboxRow.kind.in_((DEPLOY, CANCEL)) & OutboxRow.subject.in_(deployment_ids)
    await tx.session.execute(delete(OutboxRow).where(gone))


def is_fresh(row: OutboxRow) -> bool:
    """Whether the row is about a deployment that was never handed over."""
    return row.kind == DEPLOY and row.attempts == 0


async def unanswered(tx: Transaction) -> int:
    """Count the deployments handed over just now that have no record yet."""
    since = tx.now + REPEAT_AFTER - ANSWERED_WITHIN
    return await tx.session.scalar(_UNANSWERED, {"since": since}) or 0


async def due(tx: Transaction, limit: int = 100, *, fresh: bool = True) -> list[OutboxRow]:
    """Return the rows that are due, without those of notifications.

    Without `fresh`, no deployment that was never handed over.
    """
    query = _DUE if fresh else _DUE_AND_KNOWN
    return list(await tx.session.scalars(query, {"now": tx.now, "most": limit}))


async def due_notifications(tx: Transaction, limit: int = 100) -> list[OutboxRow]:
    return list(await tx.session.scalars(_DUE_NOTIFICATIONS, {"now": tx.now, "most": limit}))


async def handed_over(tx: Transaction, row_ids: list[int]) -> None:
    """Schedule the next hand-over, in case no record closes the row before."""
    again = {"attempts": OutboxRow.attempts + 1, "next_at": tx.now + REPEAT_AFTER}
    await tx.session.execute(update(OutboxRow).where(OutboxRow.id.in_(row_ids)).values(**again))


async def postpone(tx: Transaction, row_ids: list[int]) -> None:
    """Schedule failed hand-overs soon, behind all other rows that are due."""
    soon = tx.now + TRY_AGAIN_AFTER
    await tx.session.execute(
        update(OutboxRow).where(OutboxRow.id.in_(row_ids)).values(next_at=soon)
    )
