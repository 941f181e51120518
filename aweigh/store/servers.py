"""Servers: the lease of a server's name, and what its worker found live on it."""

from datetime import timedelta

from sqlalchemy import select

from aweigh.contract import LEASE_SECONDS, Findings, Lease
from aweigh.core.errors import Conflict, Invalid
from aweigh.core.ids import new_id
from aweigh.store.database import Transaction
from aweigh.store.tables import MetaRow, ServerRow


async def ensure(tx: Transaction, name: str) -> None:
    if await tx.session.get(ServerRow, name) is None:
        tx.session.add(ServerRow(name=name, id=new_id("srv"), created_at=tx.now))


async def check_exists(tx: Transaction, name: str) -> None:
    """Raises: Invalid."""
    if await tx.session.get(ServerRow, name) is None:
        raise Invalid("server", f"there is no server {name!r}")


async def lease(tx: Transaction, name: str, asked: Lease) -> None:
    """Lease the server's name to an identity, or renew the lease.

    Raises:
        Conflict: another identity holds it, or the same one on another machine.
    """
    row = await _row(tx, name, lock=True)
    free = row.lease_until is None or row.lease_until < tx.now
    same = (row.identity, row.boot) == (asked.identity, asked.boot)
    if not (free or same):
        raise Conflict(
            f"the name {name!r} is held by another server worker (identity {row.identity}); "
            "stop that worker, or give this one another name (AWEIGH_SERVER)"
        )
    row.identity, row.boot = asked.identity, asked.boot
    row.lease_until = tx.now + timedelta(seconds=LEASE_SECONDS)
    row.worker_version, row.engine_version = asked.worker_version, asked.engine_version


async def check_holder(tx: Transaction, name: str, identity: str, boot: str) -> None:
    """Raises: Conflict."""
    row = await _row(tx, name)
    if (row.identity, row.boot) != (identity, boot):
        raise Conflict(f"the name {name!r} is held by another server worker ({row.identity})")


async def keep_findings(tx: Transaction, name: str, found: Findings) -> None:
    """Store what a server reports as live; the next report replaces it."""
    (await _row(tx, name, lock=True)).findings = found.model_dump_json()


async def findings_of(tx: Transaction, name: str, run_id: str) -> Findings | None:
    """Return the server's report for this run of the reconciler; None if there is none."""
    row = await tx.session.get(ServerRow, name)
    found = Findings.model_validate_json(row.findings) if row and row.findings else None
    return found if found and found.run_id == run_id else None


async def reported_live(tx: Transaction, name: str) -> set[str]:
    """Return the ids of the deployments that may be live by the server's newest report."""
    row = await tx.session.get(ServerRow, name)
    found = Findings.model_validate_json(row.findings) if row and row.findings else None
    return {*found.live, *found.unsure, *found.verified} if found else set()


async def _row(tx: Transaction, name: str, *, lock: bool = False) -> ServerRow:
    """Raises: Conflict."""
    query = select(ServerRow).where(ServerRow.name == name)
    row = await (tx.locked(query) if lock else tx.session.scalar(query))
    if row is None:
        raise Conflict(f"there is a token for server {name!r}, but no such server")
    return row


async def instance(tx: Transaction) -> str:
    """Return the installation's id."""
    return (await tx.session.get_one(MetaRow, "instance")).value
