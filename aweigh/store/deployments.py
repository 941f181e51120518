"""Deployments: their rows, answers about them, and their progress for many followers."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, TypeVar

from sqlalchemy import bindparam, exists, func, select

from aweigh.core import grammar
from aweigh.core.errors import NotFound
from aweigh.deployments.deployment import (
    OPEN,
    DeploymentState,
    StepName,
    StepState,
)
from aweigh.deployments.release import Commit, Image, Release
from aweigh.deployments.workflow_ids import ExpectedWorkflow, deployment_workflow
from aweigh.store import releases
from aweigh.store.database import Transaction
from aweigh.store.tables import (
    ApplicationRow,
    DeploymentRow,
    LogChunk,
    ReleaseRow,
    StepRow,
)

#: How late a report may arrive that a server worker kept while the API was away.
LATE: Final = timedelta(days=1)
Row = TypeVar("Row", ApplicationRow, ReleaseRow)
_LANE: Final = (
    select(ApplicationRow.slug)
    .join(DeploymentRow, DeploymentRow.application_id == ApplicationRow.id)
    .where(DeploymentRow.id == bindparam("deployment"), DeploymentRow.state.in_(OPEN))
)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment with everything that an answer shows."""

    row: DeploymentRow
    application: ApplicationRow
    image: Image
    commit: Commit | None
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
    """Return the live images by the ids of their deployments."""
    query = select(DeploymentRow.id, ReleaseRow).join(
        ReleaseRow, ReleaseRow.id == DeploymentRow.release_id
    )
    live = [row.live for row in rows if row.live]
    found = await tx.session.execute(query.where(DeploymentRow.id.in_(live))) if live else ()
    return {deployment: releases.image_of(release) for deployment, release in found}


async def find_row(tx: Transaction, deployment_id: str, *, lock: bool = False) -> DeploymentRow:
    """Raises: NotFound."""
    row = None
    if grammar.matches(grammar.ENTITY_ID, deployment_id):
        query = select(DeploymentRow).where(DeploymentRow.id == deployment_id)
        row = await (tx.locked(query) if lock else tx.session.scalar(query))
    if row is None:
        raise NotFound(f"there is no deployment {deployment_id!r}")
    return row


async def application_of(tx: Transaction, row: DeploymentRow) -> ApplicationRow:
    return await tx.session.get_one(ApplicationRow, row.application_id)


async def workflow_of(tx: Transaction, row: DeploymentRow) -> ExpectedWorkflow:
    """Return the one workflow that may act for the deployment."""
    application = await application_of(tx, row)
    return deployment_workflow(application.slug, row.sequence, row.id)


async def lane_of(tx: Transaction, deployment_id: str) -> str | None:
    """Return the slug of the deployment's application; None once the deployment has ended."""
    return await tx.session.scalar(_LANE, {"deployment": deployment_id})


async def find(tx: Transaction, deployment_id: str) -> Deployment:
    """Raises: NotFound."""
    return await whole(tx, await find_row(tx, deployment_id))


async def whole(tx: Transaction, row: DeploymentRow) -> Deployment:
    [found] = await _complete(tx, [row])
    return found


async def _complete(tx: Transaction, rows: Sequence[DeploymentRow]) -> list[Deployment]:
    """A page takes as many queries as a single deployment."""
    applications = await by_id(tx, ApplicationRow, {row.application_id for row in rows})
    made = await by_id(tx, ReleaseRow, {row.release_id for row in rows})
    steps = await steps_of(tx, [row.id for row in rows])
    return [
        Deployment(
            row=row,
            application=applications[row.application_id],
            image=releases.image_of(made[row.release_id]),
            commit=releases.commit_of(made[row.release_id]),
            steps=steps[row.id],
        )
        for row in rows
    ]


async def steps_of(tx: Transaction, ids: Sequence[str]) -> Mapping[str, tuple[StepRow, ...]]:
    """Return the steps of each deployment, in their order."""
    query = select(StepRow).where(StepRow.deployment_id.in_(ids))
    steps: dict[str, list[StepRow]] = {one: [] for one in ids}
    for step in await tx.session.scalars(query):
        steps[step.deployment_id].append(step)
    return {one: tuple(sorted(found, key=_began)) for one, found in steps.items()}


async def by_id(tx: Transaction, kind: type[Row], ids: Collection[str]) -> Mapping[str, Row]:
    rows = await tx.session.scalars(select(kind).where(kind.id.in_(ids)))
    return {row.id: row for row in rows}


def _began(step: StepRow) -> tuple[datetime, int]:
    """Sort steps by their start; at the same time, by their order in a deployment."""
    return step.started_at, list(StepName).index(StepName(step.name))


async def accepts_reports(tx: Transaction, row: DeploymentRow) -> bool:
    """Whether its server worker may still report on a deployment."""
    if row.finished_at is None or row.finished_at > tx.now - LATE:
        return True
    query = select(func.max(StepRow.started_at)).where(StepRow.deployment_id == row.id)
    newest = await tx.session.scalar(query)  # a reset of a deployment that succeeded long ago
    return newest is not None and newest > tx.now - LATE


async def page(
    tx: Transaction,
    *,
    application_id: str | None,
    state: str | None,
    before: str | None,
    limit: int,
) -> list[Deployment]:
    """Return a page, newest first; `before` is the last id of the previous page."""
    query = select(DeploymentRow).order_by(DeploymentRow.id.desc()).limit(limit)
    if application_id:
        query = query.where(DeploymentRow.application_id == application_id)
    if state:
        query = query.where(DeploymentRow.state == state)
    if before:
        query = query.where(DeploymentRow.id < before)
    return await _complete(tx, list(await tx.session.scalars(query)))


async def release_of(tx: Transaction, row: DeploymentRow) -> Release:
    """Return what the deployment makes live, with its secrets: for its server worker only."""
    application = await application_of(tx, row)
    release = await tx.session.get_one(ReleaseRow, row.release_id)
    return Release(
        deployment=row.id, application=application.id, slug=application.slug, server=row.server,
        sequence=row.sequence, image=releases.image_of(release),
        ref=release.ref, commit=release.commit, rebuild=release.rebuild,
        settings=releases.settings_of(tx, release),
    )  # fmt: skip


async def open_on(tx: Transaction, server: str) -> list[tuple[str, str]]:
    """Return the ids of a server's open deployments, each with the slug of its application.

    Other columns of a row may be unreadable.
    """
    query = (
        select(DeploymentRow.id, ApplicationRow.slug)
        .join(ApplicationRow, ApplicationRow.id == DeploymentRow.application_id)
        .where(DeploymentRow.server == server, DeploymentRow.state.in_(OPEN))
    )
    return [(deployment, slug) for deployment, slug in await tx.session.execute(query)]


async def failed_among(tx: Transaction, server: str, ids: Collection[str]) -> list[str]:
    query = select(DeploymentRow.id).where(
        DeploymentRow.server == server, DeploymentRow.id.in_(ids),
        DeploymentRow.state == DeploymentState.FAILED,
    )  # fmt: skip
    return list(await tx.session.scalars(query))


#: The ids in one query; SQLite accepts some thousands.
_AT_ONCE: Final = 500


@dataclass(frozen=True, kw_only=True)
class DeploymentProgress:
    """The part of a deployment that changes while callers follow it."""

    state: str
    finished_at: datetime | None
    #: The offset of the newest chunk of its log.
    newest_chunk: int | None
    #: Whether a step is recorded as running.
    has_running_step: bool


async def progress(
    tx: Transaction, deployment_ids: Collection[str]
) -> Mapping[str, DeploymentProgress]:
    """Return the progress of each deployment that exists."""
    left = iter(deployment_ids)
    found: dict[str, DeploymentProgress] = {}
    while some := list(islice(left, _AT_ONCE)):
        found.update(await _progress(tx, some))
    return found


#: Built once: it is executed many times a second while callers follow deployments.
_PROGRESS: Final = select(
    DeploymentRow.id,
    DeploymentRow.state,
    DeploymentRow.finished_at,
    select(func.max(LogChunk.offset))
    .where(LogChunk.deployment_id == DeploymentRow.id)
    .scalar_subquery()
    .label("newest_chunk"),
    exists()
    .where(StepRow.deployment_id == DeploymentRow.id, StepRow.state == StepState.RUNNING)
    .label("has_running_step"),
).where(DeploymentRow.id.in_(bindparam("deployments", expanding=True)))


async def _progress(tx: Transaction, deployment_ids: list[str]) -> Mapping[str, DeploymentProgress]:
    rows = await tx.session.execute(_PROGRESS, {"deployments": deployment_ids})
    return {
        row.id: DeploymentProgress(
            state=row.state,
            finished_at=row.finished_at,
            newest_chunk=row.newest_chunk,
            has_running_step=bool(row.has_running_step),
        )
        for row in rows
    }
