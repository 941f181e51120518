"""Servers: who holds a server's name, and what the database expects there."""

from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import or_, select

from aweigh.contract import (
    LEASE_SECONDS,
    Findings,
    Inventory,
    KnownApplication,
    KnownDeployment,
    Lease,
)
from aweigh.core.errors import BAD_DATA, Conflict, Invalid
from aweigh.core.ids import new_id
from aweigh.deployments.deployment import OPEN, DeploymentState
from aweigh.store.database import Transaction
from aweigh.store.tables import ApplicationRow, DeploymentRow, MetaRow, ServerRow

_log = structlog.get_logger(__name__)

#: Deployments of an application that are told of one by one, beside those that matter.
_NEWEST: Final = 100
_THERE: Final = ApplicationRow.removed_at.is_(None)


async def ensure(tx: Transaction, name: str) -> None:
    if await tx.session.get(ServerRow, name) is None:
        tx.session.add(ServerRow(name=name, id=new_id("srv"), created_at=tx.now))


async def known(tx: Transaction, name: str) -> None:
    """Raises: Invalid."""
    if await tx.session.get(ServerRow, name) is None:
        raise Invalid("server", f"there is no server {name!r}")


async def lease(tx: Transaction, name: str, asked: Lease) -> None:
    """Give the server's name to an identity, or renew it.

    Raises:
        Conflict: another identity holds it, or the same one on another machine.
    """
    row = await _row(tx, name, lock=True)
    free = row.lease_until is None or row.lease_until < tx.now
    same = (row.identity, row.boot) == (asked.identity, asked.boot)
    if not (free or same):
        raise Conflict(
            f"the name {name!r} is held by another server worker (identity {row.identity}); "
            "stop that one, or give this one a name of its own (AWEIGH_SERVER)"
        )
    row.identity, row.boot = asked.identity, asked.boot
    row.lease_until = tx.now + timedelta(seconds=LEASE_SECONDS)
    row.worker_version, row.engine_version = asked.worker_version, asked.engine_version


async def check_holder(tx: Transaction, name: str, identity: str, boot: str) -> None:
    """Raises: Conflict."""
    row = await _row(tx, name)
    if (row.identity, row.boot) != (identity, boot):
        raise Conflict(f"the name {name!r} is held by another server worker ({row.identity})")


async def tell(tx: Transaction, name: str, found: Findings) -> None:
    """Keep what a server says is live on it; the next time replaces it."""
    (await _row(tx, name, lock=True)).findings = found.model_dump_json()


async def findings(tx: Transaction, name: str, run_id: str) -> Findings | None:
    """What the server told for this run of the reconciler; None: nothing, or for another one."""
    row = await tx.session.get(ServerRow, name)
    found = Findings.model_validate_json(row.findings) if row and row.findings else None
    return found if found and found.run_id == run_id else None


async def _row(tx: Transaction, name: str, *, lock: bool = False) -> ServerRow:
    """Raises: Conflict."""
    query = select(ServerRow).where(ServerRow.name == name)
    row = await (tx.locked(query) if lock else tx.session.scalar(query))
    if row is None:
        raise Conflict(f"there is no server {name!r}, though there is a token for it")
    return row


async def instance(tx: Transaction) -> str:
    return (await tx.session.get_one(MetaRow, "instance")).value


async def inventory(
    tx: Transaction, server: str, keep: int, application_id: str | None = None
) -> Inventory:
    """What is expected on a server; bounded, however many deployments there were.

    A row that cannot be read hides no other application from the server.
    """
    query = select(ApplicationRow.id).where(ApplicationRow.server == server)
    asked = ApplicationRow.id == application_id if application_id else _THERE
    applications: list[KnownApplication] = []
    skipped: dict[str, tuple[str, ...]] = {}
    for application in await tx.session.scalars(query.where(asked)):
        try:
            row = await tx.session.get_one(ApplicationRow, application)
            applications.append(await _known(tx, row, keep))
        except BAD_DATA as error:
            _log.error("an application cannot be read, and is left out of the inventory",
                       application=application, error=repr(error))  # fmt: skip
            skipped[application] = await _newest_of(tx, application)
    return Inventory(instance=await instance(tx), applications=tuple(applications), skipped=skipped)


async def _newest_of(tx: Transaction, application: str) -> tuple[str, ...]:
    """Ids alone: of what else stands in these rows something is wrong."""
    query = select(DeploymentRow.id).where(DeploymentRow.application_id == application)
    newest = query.order_by(DeploymentRow.sequence.desc()).limit(_NEWEST)
    return tuple(await tx.session.scalars(newest))


async def _known(tx: Transaction, row: ApplicationRow, keep: int) -> KnownApplication:
    rows, oldest = await _listed(tx, row)
    succeeded = select(DeploymentRow.sequence).where(
        DeploymentRow.application_id == row.id, DeploymentRow.state == DeploymentState.SUCCEEDED
    )
    newest_first = succeeded.order_by(DeploymentRow.sequence.desc()).limit(keep)
    kept = list(await tx.session.scalars(newest_first))
    in_flight = [d.sequence for d in rows if not DeploymentState(d.state).ended]
    return KnownApplication(
        id=row.id, slug=row.slug, live=row.live, highest_sequence=row.last_sequence,
        keep=tuple(kept + in_flight), removed=row.removed_at is not None, ended_below=oldest,
        deployments=tuple(
            KnownDeployment(id=d.id, sequence=d.sequence, state=DeploymentState(d.state))
            for d in rows
        ),
    )  # fmt: skip


async def _listed(tx: Transaction, row: ApplicationRow) -> tuple[list[DeploymentRow], int]:
    """The deployments that are told of, and the sequence below which the others have ended."""
    query = select(DeploymentRow).where(DeploymentRow.application_id == row.id)
    query = query.order_by(DeploymentRow.sequence.desc())
    newest = list(await tx.session.scalars(query.limit(_NEWEST)))
    if len(newest) < _NEWEST:
        return newest, 0
    oldest = newest[-1].sequence
    needed = or_(DeploymentRow.id == row.live, DeploymentRow.state.in_(OPEN))
    older = await tx.session.scalars(query.where(needed, DeploymentRow.sequence < oldest))
    return [*newest, *older], oldest
