"""Deployments: what is known of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import bindparam, func, select

from aweigh.core import grammar
from aweigh.core.errors import NotFound
from aweigh.deployments.deployment import OPEN, EventKind, StepName
from aweigh.deployments.release import Image, Release
from aweigh.store import releases
from aweigh.store.database import Transaction
from aweigh.store.tables import (
    ApplicationRow,
    DeploymentRow,
    EventRow,
    ReleaseRow,
    StepRow,
)

#: How late what a server worker kept during an absence of the API may come.
LATE: Final = timedelta(days=1)
Row = TypeVar("Row", ApplicationRow, ReleaseRow)
_LANE: Final = (
    select(ApplicationRow.slug)
    .join(DeploymentRow, DeploymentRow.application_id == ApplicationRow.id)
    .where(DeploymentRow.id == bindparam("deployment"), DeploymentRow.state.in_(OPEN))
)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment with everything an answer shows of it."""

    row: DeploymentRow
    application: ApplicationRow
    image: Image
    commit: str | None
    steps: tuple[StepRow, ...]

    @property
    def id(self) -> str:
        return self.row.id


async def live_image(tx: Transaction, row: ApplicationRow) -> Image | None:
    if row.live is None:
        return None
    deployment = await tx.session.get_one(DeploymentRow, row.live)
    return releases.image_of(await tx.session.get_one(ReleaseRow, deployment.release_id))


async def live_images(tx: Transaction, rows: Iterable[ApplicationRow]) -> Mapping[str, Image]:
    """The images that are live, by the ids of their deployments."""
    query = select(DeploymentRow.id, ReleaseRow).join(
        ReleaseRow, ReleaseRow.id == DeploymentRow.release_id
    )
    live = [row.live for row in rows if row.live]
    found = await tx.session.execute(query.where(DeploymentRow.id.in_(live))) if live else ()
    return {deployment: releases.image_of(release) for deployment, release in found}


def event_of(tx: Transaction, deployment: DeploymentRow, kind: EventKind) -> EventRow:
    return EventRow(
        kind=kind, application_id=deployment.application_id, deployment_id=deployment.id, at=tx.now
    )


def record_event(tx: Transaction, deployment: DeploymentRow, kind: EventKind) -> None:
    tx.session.add(event_of(tx, deployment, kind))


async def find_row(tx: Transaction, deployment_id: str, *, lock: bool = False) -> DeploymentRow:
    """Raises: NotFound."""
    row = None
    if grammar.matches(grammar.ENTITY_ID, deployment_id):
        query = select(DeploymentRow).where(DeploymentRow.id == deployment_id)
        row = await (tx.locked(query) if lock else tx.session.scalar(query))
    if row is None:
        raise NotFound(f"there is no deployment {deployment_id!r}")
    return row


async def lane_of(tx: Transaction, deployment_id: str) -> str | None:
    """The slug of the application whose lane it belongs to; None once it has ended."""
    return await tx.session.scalar(_LANE, {"deployment": deployment_id})


async def find(tx: Transaction, deployment_id: str) -> Deployment:
    """Raises: NotFound."""
    return await whole(tx, await find_row(tx, deployment_id))


async def whole(tx: Transaction, row: DeploymentRow) -> Deployment:
    [found] = await _complete(tx, [row])
    return found


async def _complete(tx: Transaction, rows: Sequence[DeploymentRow]) -> list[Deployment]:
    """A page is asked for in as many questions as a single one."""
    applications = await _by_id(tx, ApplicationRow, {row.application_id for row in rows})
    made = await _by_id(tx, ReleaseRow, {row.release_id for row in rows})
    query = select(StepRow).where(StepRow.deployment_id.in_([row.id for row in rows]))
    steps: dict[str, list[StepRow]] = {row.id: [] for row in rows}
    for step in await tx.session.scalars(query):
        steps[step.deployment_id].append(step)
    return [
        Deployment(
            row=row,
            application=applications[row.application_id],
            image=releases.image_of(made[row.release_id]),
            commit=made[row.release_id].commit,
            steps=tuple(sorted(steps[row.id], key=_began)),
        )
        for row in rows
    ]


async def _by_id(tx: Transaction, kind: type[Row], ids: Collection[str]) -> Mapping[str, Row]:
    rows = await tx.session.scalars(select(kind).where(kind.id.in_(ids)))
    return {row.id: row for row in rows}


def _began(step: StepRow) -> tuple[datetime, int]:
    """When a step began; of two that began together, the one a deployment does first."""
    return step.started_at, list(StepName).index(StepName(step.name))


async def still_tells(tx: Transaction, row: DeploymentRow) -> bool:
    """Whether its server worker may still have something to say of a deployment."""
    if row.finished_at is None or row.finished_at > tx.now - LATE:
        return True
    query = select(func.max(StepRow.started_at)).where(StepRow.deployment_id == row.id)
    newest = await tx.session.scalar(query)  # of a reset of what has been live for long
    return newest is not None and newest > tx.now - LATE


async def page(
    tx: Transaction,
    *,
    application_id: str | None,
    state: str | None,
    before: str | None,
    limit: int,
) -> list[Deployment]:
    """Newest first; `before` is the id of the last one of the page before."""
    query = select(DeploymentRow).order_by(DeploymentRow.id.desc()).limit(limit)
    if application_id:
        query = query.where(DeploymentRow.application_id == application_id)
    if state:
        query = query.where(DeploymentRow.state == state)
    if before:
        query = query.where(DeploymentRow.id < before)
    return await _complete(tx, list(await tx.session.scalars(query)))


async def release_of(tx: Transaction, row: DeploymentRow) -> Release:
    """What the deployment makes live, with its secrets: for its server worker only."""
    application = await tx.session.get_one(ApplicationRow, row.application_id)
    release = await tx.session.get_one(ReleaseRow, row.release_id)
    return Release(
        deployment=row.id, application=application.id, slug=application.slug, server=row.server,
        sequence=row.sequence, image=releases.image_of(release),
        ref=release.ref, commit=release.commit, rebuild=release.rebuild,
        settings=releases.settings_of(tx, release),
    )  # fmt: skip
