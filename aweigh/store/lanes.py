"""Lanes: the turns that a lane may take, and deployments superseded before the hand-over.

Nothing here opens sealed settings: what is handed to Temporal needs no secrets.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.orm import aliased

from aweigh.core import grammar
from aweigh.core.errors import BAD_DATA
from aweigh.core.text import printable
from aweigh.deployments.application import Policy
from aweigh.deployments.deployment import REMOVAL, DeploymentState
from aweigh.deployments.turn import Turn
from aweigh.deployments.workflow_ids import lane_id, slug_of_lane
from aweigh.secrets.error_text import said_by
from aweigh.store import claims, lifecycle, outbox
from aweigh.store.applications import locked_row
from aweigh.store.database import Store, Transaction
from aweigh.store.tables import ApplicationRow, DeploymentRow, OutboxRow, ReleaseRow

_LONGEST_ID: Final = 60

_log = structlog.get_logger(__name__)


class Lanes:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def turns(self, lane: str, asked: Sequence[str]) -> list[Turn]:
        """Return the turns of the lane's own application by their sequence, without the others.

        `asked`: ids of deployments; an empty one stands for the removal of the application.
        """
        async with self._store.read() as tx:
            application = await _application(tx, lane)
            if application is None:
                _log_unknown(lane, asked)
                return []
            found = await _deployments(tx, application, asked)
            if "" in asked and application.removal_sequence is not None:
                found.append(_removal(application, application.removal_sequence))
        _log_unknown(lane, sorted({*asked} - {turn.deployment_id for turn in found}))
        return sorted(found, key=lambda turn: turn.sequence)


def _log_unknown(lane: str, asked: Sequence[str]) -> None:
    for one in asked:
        _log.warning(
            "no turn for an unknown deployment", lane=printable(lane)[:_LONGEST_ID],
            deployment=printable(one)[:_LONGEST_ID],
        )  # fmt: skip


async def _application(tx: Transaction, lane: str) -> ApplicationRow | None:
    slug = slug_of_lane(lane)
    if not grammar.matches(grammar.SLUG, slug):
        return None
    row = await tx.session.scalar(select(ApplicationRow).where(ApplicationRow.slug == slug))
    return row if row and lane == lane_id(row.slug) else None


async def _deployments(
    tx: Transaction, application: ApplicationRow, asked: Sequence[str]
) -> list[Turn]:
    ids = [one for one in asked if grammar.matches(grammar.ENTITY_ID, one)]
    query = (
        select(DeploymentRow, ReleaseRow.image_reference)
        .join(ReleaseRow, ReleaseRow.id == DeploymentRow.release_id)
        .where(DeploymentRow.application_id == application.id, DeploymentRow.id.in_(ids))
    )
    found = []
    for row, reference in await tx.session.execute(query):
        try:
            found.append(_turn(application, row, reference))
        except BAD_DATA as error:  # one unreadable row keeps no other from its turn
            _log.error(
                "a deployment cannot be read", deployment=row.id, error=said_by(error, masks=False)
            )
    return found


def _turn(application: ApplicationRow, row: DeploymentRow, reference: str) -> Turn:
    return Turn(
        application_id=application.id, slug=application.slug, server=row.server,
        sequence=row.sequence, deployment_id=row.id, reference=reference,
        policy=Policy(row.policy), label=row.label or "",
        ended=DeploymentState(row.state).ended,
    )  # fmt: skip


def _removal(row: ApplicationRow, sequence: int) -> Turn:
    return Turn(
        application_id=row.id, slug=row.slug, server=row.server, sequence=sequence, removal=True,
        volumes=row.removal_volumes, ended=bool(row.removed_at or row.removal_message),
    )  # fmt: skip


# A lane would start a workflow for each superseded deployment, only to cancel it. So a crowd of
# calls costs work for each application, not for each call.

_NEWER: Final = aliased(DeploymentRow)
#: A failed one supersedes nothing here: if the lane knows of it, the lane decides.
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
_SUPERSEDED: Final = (
    select(DeploymentRow.id, _NEWEST, ApplicationRow.removal_sequence > DeploymentRow.sequence)
    .join(ApplicationRow, ApplicationRow.id == DeploymentRow.application_id)
    .where(
        DeploymentRow.id.in_(bindparam("fresh", expanding=True)),
        DeploymentRow.state == DeploymentState.CREATED,
    )
)


async def superseded(tx: Transaction, rows: Iterable[OutboxRow]) -> Mapping[str, str]:
    """Return the deployments that need no hand-over, each with the one that supersedes it."""
    fresh = [row.subject for row in rows if outbox.is_fresh(row)]
    if not fresh:
        return {}
    found = await tx.session.execute(_SUPERSEDED, {"fresh": fresh})
    by = {one: REMOVAL if removing else newest for one, newest, removing in found}
    return {one: newer for one, newer in by.items() if newer}


async def supersede(tx: Transaction, by: Mapping[str, str]) -> None:
    """Record them as superseded, as their lane would; skip those handed over meanwhile."""
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
    await lifecycle.supersede(tx, by, rows)
    await outbox.close_all(tx, [row.id for row in rows])
    for application in sorted(await claims.holders(tx, {row.application_id for row in rows})):
        await claims.settle(tx, await locked_row(tx, application))
