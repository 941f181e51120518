"""Events: every change of a deployment's state, written in the transaction of the change."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, func, select

from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.deployment import EventKind
from aweigh.deployments.release import Commit, Image
from aweigh.store import applications, deployments
from aweigh.store.database import Transaction
from aweigh.store.deployments import Deployment
from aweigh.store.tables import (
    ApplicationRow,
    Base,
    DeploymentRow,
    EventRow,
    ReleaseRow,
    StepRow,
)

#: The columns that an event keeps of a deployment and of its steps.
_DEPLOYMENT: Final = (
    "id", "application_id", "release_id", "server", "sequence", "state", "reason", "message",
    "trigger", "actor", "tag", "retry_of", "superseded_by", "run_id", "attempts", "created_at",
    "started_at", "finished_at",
)  # fmt: skip
_STEP: Final = (
    "deployment_id", "name", "state", "started_at", "finished_at", "attempts", "detail",
)  # fmt: skip


@dataclass(frozen=True)
class Filter:
    """The events that a reader wants: of one application or all; of some kinds, or of all."""

    application_id: str | None = None
    kinds: frozenset[EventKind] = frozenset()

    def of(self, query: Select[EventRow]) -> Select[EventRow]:
        if self.application_id:
            query = query.where(EventRow.application_id == self.application_id)
        return query.where(EventRow.kind.in_(self.kinds)) if self.kinds else query


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event with its deployment as it was right after the change."""

    id: int
    kind: EventKind
    at: datetime
    deployment: Deployment
    #: Of the application, as they are now; None if they cannot be read.
    settings: ApplicationSettings | None


def add(
    tx: Transaction,
    kind: EventKind,
    row: DeploymentRow,
    image: Image,
    commit: Commit | None,
    steps: Iterable[StepRow] = (),
) -> None:
    """Record a change of a deployment of which everything is known."""
    kept = {
        **_kept(row, _DEPLOYMENT),
        "image": image.model_dump(),
        "commit": commit.model_dump() if commit else None,
        "steps": [_kept(step, _STEP) for step in steps],
    }
    tx.events.append(
        EventRow(
            kind=kind, application_id=row.application_id, deployment_id=row.id, at=tx.now,
            deployment=json.dumps(kept, default=datetime.isoformat),
        )
    )  # fmt: skip


def _kept(row: Base, columns: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in columns}


async def record(tx: Transaction, kind: EventKind, *rows: DeploymentRow) -> None:
    """Record the same change of several deployments, after everything else about them."""
    query = select(
        ReleaseRow.id, ReleaseRow.image_reference, ReleaseRow.image_id, ReleaseRow.image_digest,
        ReleaseRow.commit, ReleaseRow.commit_subject,
    ).where(ReleaseRow.id.in_({row.release_id for row in rows}))  # fmt: skip
    found = {release.id: release for release in await tx.session.execute(query)}
    steps = await deployments.steps_of(tx, [row.id for row in rows])
    for row in rows:
        of = found[row.release_id]
        image = Image(reference=of.image_reference, id=of.image_id, digest=of.image_digest)
        commit = Commit(id=of.commit, subject=of.commit_subject) if of.commit else None
        add(tx, kind, row, image, commit, steps[row.id])


async def newest(tx: Transaction) -> int:
    """Return the id of the newest event; 0 if there is none."""
    return await tx.session.scalar(select(func.max(EventRow.id))) or 0


async def page(tx: Transaction, wanted: Filter, *, before: int | None, limit: int) -> list[Event]:
    """Return a page, newest first; `before` is the last id of the previous page."""
    query = wanted.of(select(EventRow)).order_by(EventRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(EventRow.id < before)
    return await _complete(tx, list(await tx.session.scalars(query)))


async def after(tx: Transaction, wanted: Filter, position: int, limit: int) -> list[Event]:
    """Return the events after a position, oldest first."""
    query = wanted.of(select(EventRow)).where(EventRow.id > position)
    rows = await tx.session.scalars(query.order_by(EventRow.id).limit(limit))
    return await _complete(tx, list(rows))


async def some(tx: Transaction, ids: Collection[int]) -> Mapping[int, Event]:
    """Return those of the events that are still kept, by their ids."""
    rows = await tx.session.scalars(select(EventRow).where(EventRow.id.in_(ids)))
    return {one.id: one for one in await _complete(tx, list(rows))}


async def _complete(tx: Transaction, rows: Sequence[EventRow]) -> list[Event]:
    owners = await deployments.by_id(tx, ApplicationRow, {row.application_id for row in rows})
    settings = {one.row.id: one.settings for one in applications.readable(tx, owners.values())}
    return [
        Event(
            id=row.id,
            kind=EventKind(row.kind),
            at=row.at,
            deployment=_as_it_was(json.loads(row.deployment), owners[row.application_id]),
            settings=settings.get(row.application_id),
        )
        for row in rows
    ]


def _as_it_was(kept: Mapping[str, Any], application: ApplicationRow) -> Deployment:
    return Deployment(
        row=DeploymentRow(**_read(kept, _DEPLOYMENT)),
        application=application,
        image=Image.model_validate(kept["image"]),
        commit=Commit.model_validate(kept["commit"]) if kept["commit"] else None,
        steps=tuple(StepRow(**_read(step, _STEP)) for step in kept["steps"]),
    )


def _read(kept: Mapping[str, Any], columns: Iterable[str]) -> dict[str, Any]:
    found = {name: kept[name] for name in columns}
    return {
        name: datetime.fromisoformat(value) if value and name.endswith("_at") else value
        for name, value in found.items()
    }
