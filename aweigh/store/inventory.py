"""The inventory of a server: what the database expects there, for the reconciler."""

from typing import Final

import structlog
from sqlalchemy import or_, select

from aweigh.contract import Inventory, KnownApplication, KnownDeployment
from aweigh.core.errors import BAD_DATA
from aweigh.deployments.deployment import OPEN, DeploymentState
from aweigh.store import servers
from aweigh.store.database import Transaction
from aweigh.store.tables import ApplicationRow, DeploymentRow

_log = structlog.get_logger(__name__)

#: The newest deployments of an application that are listed, beside the live and the open ones.
_NEWEST: Final = 100
_THERE: Final = ApplicationRow.removed_at.is_(None)


async def of_server(
    tx: Transaction, server: str, keep: int, application_id: str | None = None
) -> Inventory:
    """Return what is expected on a server; bounded, however many deployments there were.

    An unreadable row hides no other application from the server.
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
            _log.error("an application cannot be read and is left out of the inventory",
                       application=application, error=repr(error))  # fmt: skip
            skipped[application] = await _newest_of(tx, application)
    return Inventory(
        instance=await servers.instance(tx), applications=tuple(applications), skipped=skipped
    )


async def _newest_of(tx: Transaction, application: str) -> tuple[str, ...]:
    """Read ids only: another column of these rows is unreadable."""
    query = select(DeploymentRow.id).where(DeploymentRow.application_id == application)
    newest = query.order_by(DeploymentRow.sequence.desc()).limit(_NEWEST)
    return tuple(await tx.session.scalars(newest))


async def _known(tx: Transaction, row: ApplicationRow, keep: int) -> KnownApplication:
    rows = await _listed(tx, row)
    succeeded = select(DeploymentRow.sequence).where(
        DeploymentRow.application_id == row.id, DeploymentRow.state == DeploymentState.SUCCEEDED
    )
    newest_first = succeeded.order_by(DeploymentRow.sequence.desc()).limit(keep)
    kept = list(await tx.session.scalars(newest_first))
    in_flight = [d.sequence for d in rows if not DeploymentState(d.state).ended]
    return KnownApplication(
        id=row.id, slug=row.slug, live=row.live, highest_sequence=row.last_sequence,
        keep=tuple(kept + in_flight), removed=row.removed_at is not None,
        ended_below=row.last_sequence + 1,  # the record of an unlisted one may be deleted
        deployments=tuple(
            KnownDeployment(id=d.id, sequence=d.sequence, state=DeploymentState(d.state))
            for d in rows
        ),
    )  # fmt: skip


async def _listed(tx: Transaction, row: ApplicationRow) -> list[DeploymentRow]:
    """Return the newest deployments, and of the older ones those that are live or open."""
    query = select(DeploymentRow).where(DeploymentRow.application_id == row.id)
    query = query.order_by(DeploymentRow.sequence.desc())
    newest = list(await tx.session.scalars(query.limit(_NEWEST)))
    if len(newest) < _NEWEST:
        return newest
    needed = or_(DeploymentRow.id == row.live, DeploymentRow.state.in_(OPEN))
    older = await tx.session.scalars(
        query.where(needed, DeploymentRow.sequence < newest[-1].sequence)
    )
    return [*newest, *older]
