"""Deployments that a newer one overtook before Temporal was told of them.

Their lane would start a workflow for each of them, only to cancel it: a crowd of calls would set
off work by the call, where it is the number of applications that there is work for.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import aliased

from aweigh.deployments.deployment import REMOVAL, DeploymentState
from aweigh.store import claims, lifecycle, outbox
from aweigh.store.applications import locked_row, settle
from aweigh.store.database import Transaction
from aweigh.store.tables import ApplicationRow, DeploymentRow, OutboxRow

_NEWER: Final = aliased(DeploymentRow)
#: One that failed takes nobody's place: if the lane knew of it, the lane decides.
_NEWEST: Final = (
    select(_NEWER.id)
    .where(
        _NEWER.application_id == DeploymentRow.application_id,
        _NEWER.sequence > DeploymentRow.sequence,
        _NEWER.state != DeploymentState.FAILED,
    )
    .order_by(_NEWER.sequence.desc())
    .limit(1)
    .scalar_subquery()
)
_OVERTAKEN: Final = (
    select(DeploymentRow.id, _NEWEST, ApplicationRow.removal_sequence > DeploymentRow.sequence)
    .join(ApplicationRow, ApplicationRow.id == DeploymentRow.application_id)
    .where(
        DeploymentRow.id.in_(bindparam("fresh", expanding=True)),
        DeploymentRow.state == DeploymentState.CREATED,
    )
)


async def overtaken(tx: Transaction, rows: Iterable[OutboxRow]) -> Mapping[str, str]:
    """The deployments among these that Temporal need not hear of, each with what overtook it."""
    fresh = [row.subject for row in rows if outbox.is_fresh(row)]
    if not fresh:
        return {}
    found = await tx.session.execute(_OVERTAKEN, {"fresh": fresh})
    by = {one: REMOVAL if removing else newest for one, newest, removing in found}
    return {one: newer for one, newer in by.items() if newer}


async def record(tx: Transaction, by: Mapping[str, str]) -> None:
    """End them as their lane would; those that were handed over meanwhile are left to it."""
    query = (
        select(DeploymentRow)
        .join(OutboxRow, OutboxRow.subject == DeploymentRow.id)
        .where(
            DeploymentRow.id.in_(by), DeploymentRow.state == DeploymentState.CREATED,
            OutboxRow.kind == outbox.DEPLOY, OutboxRow.attempts == 0,
        )
        .order_by(DeploymentRow.id)
        .with_for_update(of=DeploymentRow)
    )  # fmt: skip
    rows = list(await tx.session.scalars(query))
    await tx.insert(*[lifecycle.supersede(tx, row, by[row.id]) for row in rows])
    await outbox.close_all(tx, [row.id for row in rows])
    for application in sorted(await claims.holders(tx, {row.application_id for row in rows})):
        await settle(tx, await locked_row(tx, application))
