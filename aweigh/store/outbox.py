"""What must still be told to Temporal.

A row is closed by the first record of what it asks for, never by the hand-over: a signal can be
lost with a terminated lane, so the relay repeats it until something has come of it.
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

#: How long it usually takes at most until something comes of a hand-over.
ANSWERED_WITHIN: Final = timedelta(seconds=2)
REPEAT_AFTER: Final = timedelta(seconds=30)
TRY_AGAIN_AFTER: Final = timedelta(seconds=1)


def new(tx: Transaction, kind: str, subject: str) -> OutboxRow:
    """What is asked for the first time; it is still to be written."""
    return OutboxRow(kind=kind, subject=subject, next_at=tx.now, attempts=0)


_UNANSWERED: Final = select(func.count()).where(
    OutboxRow.kind == DEPLOY, OutboxRow.attempts == 1, OutboxRow.next_at > bindparam("since")
)
_DUE: Final = (
    select(OutboxRow)
    .where(OutboxRow.next_at <= bindparam("now"))
    # What waits longest comes first, so that what fails again and again holds nothing up.
    .order_by(OutboxRow.next_at, OutboxRow.id)
    .limit(bindparam("most"))
)
_DUE_AND_KNOWN: Final = _DUE.where(or_(OutboxRow.kind != DEPLOY, OutboxRow.attempts > 0))


async def put(tx: Transaction, kind: str, subject: str) -> None:
    """Ask for something; asking again makes it due at once."""
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


async def close_all(tx: Transaction, deployment_ids: Collection[str]) -> None:
    """Nothing is to be told of these deployments any more."""
    gone = OutboxRow.kind.in_((DEPLOY, CANCEL)) & OutboxRow.subject.in_(deployment_ids)
    await tx.session.execute(delete(OutboxRow).where(gone))


def is_fresh(row: OutboxRow) -> bool:
    """Whether it is about a deployment that Temporal was never told of."""
    return row.kind == DEPLOY and row.attempts == 0


async def unanswered(tx: Transaction) -> int:
    """How many deployments were handed over just now without a record of any of them so far."""
    since = tx.now + REPEAT_AFTER - ANSWERED_WITHIN
    return await tx.session.scalar(_UNANSWERED, {"since": since}) or 0


async def due(tx: Transaction, limit: int = 100, *, fresh: bool = True) -> list[OutboxRow]:
    """What is to be told now; without what is `fresh`, only what is about something known."""
    query = _DUE if fresh else _DUE_AND_KNOWN
    return list(await tx.session.scalars(query, {"now": tx.now, "most": limit}))


async def handed_over(tx: Transaction, row_ids: list[int]) -> None:
    """Told once: tell again later, unless a record closes the row before."""
    again = {"attempts": OutboxRow.attempts + 1, "next_at": tx.now + REPEAT_AFTER}
    await tx.session.execute(update(OutboxRow).where(OutboxRow.id.in_(row_ids)).values(**again))


async def postpone(tx: Transaction, row_ids: list[int]) -> None:
    """They could not be told: soon again, behind everything else that is due."""
    soon = tx.now + TRY_AGAIN_AFTER
    await tx.session.execute(
        update(OutboxRow).where(OutboxRow.id.in_(row_ids)).values(next_at=soon)
    )
