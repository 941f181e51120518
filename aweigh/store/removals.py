"""Removals of applications: requested, ordered by the lane like a deployment, recorded."""

from typing import Final

from sqlalchemy import select

from aweigh.contract import Removal
from aweigh.core import grammar
from aweigh.core.errors import NotFound
from aweigh.store import applications, claims, outbox
from aweigh.store.database import Transaction
from aweigh.store.tables import ApplicationRow

_OPEN: Final = (
    ApplicationRow.removal_sequence.is_not(None),
    ApplicationRow.removal_message.is_(None),
    ApplicationRow.removed_at.is_(None),
)


async def request(tx: Transaction, row: ApplicationRow, *, volumes: bool) -> None:
    """Take a sequence for a removal, which goes through the lane like a deployment."""
    row.removal_sequence = await applications.next_sequence(tx, row)
    row.removal_volumes = volumes
    row.removal_message = None
    await outbox.put(tx, outbox.REMOVE, row.id)


async def lane_of(tx: Transaction, application_id: str) -> str:
    """Return the slug of the application whose lane is asked for its removal."""
    return (await tx.session.get_one(ApplicationRow, application_id)).slug


async def find_open(
    tx: Transaction, application_id: str, sequence: int | None
) -> ApplicationRow | None:
    """Return the application, locked, if this removal of it is still open.

    None if the application is removed, or a newer removal was requested: that one's record counts.
    """
    row = await applications.locked_row(tx, application_id)
    superseded = sequence is not None and sequence != row.removal_sequence
    return None if row.removed_at or superseded else row


async def find_requested(tx: Transaction, server: str, application_id: str) -> Removal:
    """Return the requested removal of an application from a server.

    Raises:
        NotFound
    """
    row = None
    if grammar.matches(grammar.ENTITY_ID, application_id):
        row = await tx.session.get(ApplicationRow, application_id)
    wanted = row and row.server == server and row.removed_at is None
    if row is None or not wanted or row.removal_sequence is None:
        raise NotFound(f"no removal of {application_id!r} from server {server} is requested")
    return Removal(
        application=row.id, slug=row.slug, sequence=row.removal_sequence,
        volumes=row.removal_volumes,
    )  # fmt: skip


async def succeeded(tx: Transaction, application_id: str, sequence: int | None = None) -> None:
    """Record the removal and free the claims; the slug stays reserved."""
    row = await find_open(tx, application_id, sequence)
    if row is None:
        return
    row.removed_at = tx.now
    row.live = None
    await claims.give_up(tx, row.id)
    await outbox.close(tx, outbox.REMOVE, row.id)


async def failed(
    tx: Transaction, application_id: str, message: str, sequence: int | None = None
) -> None:
    """Record that the removal failed; the first recorded failure stays."""
    row = await find_open(tx, application_id, sequence)
    if row is None or row.removal_message:
        return
    row.removal_message = message
    await outbox.close(tx, outbox.REMOVE, row.id)


async def open_on(tx: Transaction, server: str) -> list[tuple[str, str]]:
    """Return the ids and slugs of the applications that are being removed from a server."""
    query = select(ApplicationRow.id, ApplicationRow.slug).where(
        ApplicationRow.server == server, *_OPEN
    )
    return [(application, slug) for application, slug in await tx.session.execute(query)]
