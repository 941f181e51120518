"""What must still be told to Temporal.

A row is closed by the first record of what it asks for, never by the hand-over: a signal can be
lost with a terminated lane, so the relay repeats it until something has come of it.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select, update

from aweigh.store.database import Transaction
from aweigh.store.tables import OutboxRow

DEPLOY: Final = "deploy"
CANCEL: Final = "cancel"
REMOVE: Final = "remove"

REPEAT_AFTER: Final = timedelta(seconds=30)
TRY_AGAIN_AFTER: Final = timedelta(seconds=1)


async def put(tx: Transaction, kind: str, subject: str) -> None:
    """Ask for something; asking again makes it due at once."""
    query = select(OutboxRow).where(OutboxRow.kind == kind, OutboxRow.subject == subject)
    row = await tx.session.scalar(query)
    if row is None:
        tx.session.add(OutboxRow(kind=kind, subject=subject, next_at=tx.now, attempts=0))
    else:
        row.next_at = tx.now


async def close(tx: Transaction, kind: str, subject: str) -> None:
    await tx.session.execute(
        delete(OutboxRow).where(OutboxRow.kind == kind, OutboxRow.subject == subject)
    )


async def due(tx: Transaction, limit: int = 100) -> list[OutboxRow]:
    query = select(OutboxRow).where(OutboxRow.next_at <= tx.now)
    # What waits longest comes first, so that what fails again and again holds nothing up.
    query = query.order_by(OutboxRow.next_at, OutboxRow.id).limit(limit)
    return list(await tx.session.scalars(query))


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
