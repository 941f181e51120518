"""How far many deployments are, in one light look: for whoever follows them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from sqlalchemy import exists, func, select

from aweigh.deployments.deployment import StepState
from aweigh.store.database import Transaction
from aweigh.store.tables import DeploymentRow, LogChunk, StepRow

#: Ids that one question names; SQLite takes no more than some thousands.
_AT_ONCE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What changes of a deployment while it is followed."""

    state: str
    finished_at: datetime | None
    #: Where the newest piece of its log begins.
    newest_piece: int | None
    #: Whether a step is still said to run.
    runs: bool


async def progress(tx: Transaction, deployment_ids: Collection[str]) -> Mapping[str, Progress]:
    """Of each that there is."""
    left = iter(deployment_ids)
    found: dict[str, Progress] = {}
    while some := list(islice(left, _AT_ONCE)):
        found.update(await _progress(tx, some))
    return found


async def _progress(tx: Transaction, deployment_ids: list[str]) -> Mapping[str, Progress]:
    piece = select(func.max(LogChunk.offset)).where(LogChunk.deployment_id == DeploymentRow.id)
    runs = exists().where(
        StepRow.deployment_id == DeploymentRow.id, StepRow.state == StepState.RUNNING
    )
    query = select(
        DeploymentRow.id,
        DeploymentRow.state,
        DeploymentRow.finished_at,
        piece.scalar_subquery().label("newest_piece"),
        runs.label("runs"),
    ).where(DeploymentRow.id.in_(deployment_ids))
    return {
        row.id: Progress(
            state=row.state,
            finished_at=row.finished_at,
            newest_piece=row.newest_piece,
            runs=bool(row.runs),
        )
        for row in await tx.session.execute(query)
    }
