"""What the database knows of the turns that a lane is asked for."""

from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy import select

from aweigh.core import grammar
from aweigh.core.errors import BAD_DATA
from aweigh.core.text import printable
from aweigh.deployments.application import Policy
from aweigh.deployments.deployment import DeploymentState
from aweigh.deployments.turn import Turn
from aweigh.deployments.workflow_ids import lane_id, slug_of_lane
from aweigh.secrets.error_text import said_by
from aweigh.store import deployments
from aweigh.store.database import Store, Transaction
from aweigh.store.tables import ApplicationRow, DeploymentRow

_LONGEST_ID: Final = 60

_log = structlog.get_logger(__name__)


class Lanes:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def turns(self, lane: str, asked: Sequence[str]) -> list[Turn]:
        """Those of the lane's own application, in their order; others are left out.

        `asked`: ids of deployments; an empty one stands for the removal of the application.
        """
        async with self._store.read() as tx:
            application = await _application(tx, lane)
            if application is None:
                _leave_out(lane, asked)
                return []
            found = await _deployments(tx, application, asked)
            if "" in asked and application.removal_sequence is not None:
                found.append(_removal(application, application.removal_sequence))
        _leave_out(lane, sorted({*asked} - {turn.deployment_id for turn in found}))
        return sorted(found, key=lambda turn: turn.sequence)


def _leave_out(lane: str, asked: Sequence[str]) -> None:
    for one in asked:
        _log.warning(
            "no turn for what is not known", lane=printable(lane)[:_LONGEST_ID],
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
    query = select(DeploymentRow).where(
        DeploymentRow.application_id == application.id, DeploymentRow.id.in_(ids)
    )
    found = []
    for row in await tx.session.scalars(query):
        try:
            found.append(await _turn(tx, application, row))
        except BAD_DATA as error:  # one that cannot be read keeps no other from its turn
            _log.error(
                "a release cannot be read", deployment=row.id, error=said_by(error, masks=False)
            )
    return found


async def _turn(tx: Transaction, application: ApplicationRow, row: DeploymentRow) -> Turn:
    release = await deployments.release_of(tx, row)
    return Turn(
        application_id=application.id, slug=application.slug, server=row.server,
        sequence=row.sequence, deployment_id=row.id, reference=release.image.reference,
        policy=Policy(release.settings.policy), label=release.label,
        ended=DeploymentState(row.state).ended,
    )  # fmt: skip


def _removal(row: ApplicationRow, sequence: int) -> Turn:
    return Turn(
        application_id=row.id, slug=row.slug, server=row.server, sequence=sequence, removal=True,
        volumes=row.removal_volumes, ended=bool(row.removed_at or row.removal_message),
    )  # fmt: skip
