"""Each change of a deployment's state has its event, in the transaction of the change."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aweigh.contract import StepReport
from aweigh.core.errors import Conflict
from aweigh.deployments.deployment import EventKind, Reason, StepState
from aweigh.deployments.release import Image
from aweigh.store import applications, deployments, events, lifecycle, removals, retention, steps
from aweigh.store.database import Store, Transaction
from aweigh.store.events import Event, Filter
from tests.support.installation import (
    IMAGE,
    events_of,
    new_application,
    new_deployment,
    start,
    succeed,
)

CREATED, STARTED = EventKind.CREATED, EventKind.STARTED
SUCCEEDED, FAILED = EventKind.SUCCEEDED, EventKind.FAILED
ALL = Filter()


@pytest.fixture
async def deployment(store: Store) -> str:
    return await new_deployment(store, await new_application(store, labels={"team": "a"}))


async def fail(store: Store, deployment_id: str, reason: Reason, **more: Any) -> None:
    async with store.write() as tx:
        await lifecycle.failed(tx, deployment_id, reason, "Said.", **more)


async def after(store: Store, position: int, wanted: Filter = ALL, limit: int = 100) -> list[Event]:
    async with store.read() as tx:
        return await events.after(tx, wanted, position, limit)


@pytest.mark.parametrize("reason", [Reason.CANCELLED, Reason.TERMINATED, Reason.TIMED_OUT])
async def test_a_deployment_that_is_ended_from_outside_has_failed(
    store: Store, deployment: str, reason: Reason
) -> None:
    await start(store, deployment)

    await fail(store, deployment, reason)

    *_, last = await after(store, 0)
    assert await events_of(store, deployment) == [CREATED, STARTED, FAILED]
    assert (last.deployment.row.reason, last.deployment.row.message) == (reason, "Said.")


async def test_a_deployment_superseded_in_its_lane_names_the_newer_one(
    store: Store, deployment: str
) -> None:
    await fail(store, deployment, Reason.SUPERSEDED, superseded_by="dep_newer")

    *_, last = await after(store, 0)
    row = last.deployment.row
    assert (last.kind, row.reason, row.superseded_by) == (FAILED, "superseded", "dep_newer")


async def test_a_reset_starts_a_failed_deployment_once_more(store: Store, deployment: str) -> None:
    await start(store, deployment)
    await fail(store, deployment, Reason.UNHEALTHY, run_id="run-1")

    await start(store, deployment, "run-2")
    await succeed(store, deployment, "run-2")

    told = await after(store, 0)
    assert [one.kind for one in told] == [CREATED, STARTED, FAILED, STARTED, SUCCEEDED]
    rows = [one.deployment.row for one in told]
    assert [row.reason for row in rows] == [None, None, "unhealthy", None, None]
    assert [row.run_id for row in rows] == [None, "run-1", "run-1", "run-2", "run-2"]
    assert [row.attempts for row in rows] == [0, 1, 1, 2, 2]


async def test_a_run_that_may_not_reopen_a_deployment_changes_nothing(
    store: Store, deployment: str
) -> None:
    await start(store, deployment)
    await fail(store, deployment, Reason.UNHEALTHY, run_id="run-1")
    async with store.write() as tx:
        row = await deployments.find_row(tx, deployment)
        found = await applications.find(tx, row.application_id, lock=True)
        await removals.request(tx, found.row, volumes=False)
        await removals.succeeded(tx, found.row.id)

    assert not await start(store, deployment, "run-2")

    async with store.read() as tx:
        assert (await deployments.find_row(tx, deployment)).run_id == "run-1"
    assert (await events_of(store, None))[-1] == FAILED


async def test_a_reset_of_what_is_live_is_no_change(store: Store, deployment: str) -> None:
    await start(store, deployment)
    await succeed(store, deployment)
    report = StepReport(state=StepState.RUNNING, run_id="run-2", attempt=1)

    async with store.write() as tx:
        await steps.report(tx, deployment, "drain", report)

    assert await events_of(store, deployment) == [CREATED, STARTED, SUCCEEDED]


async def test_an_event_shows_the_deployment_as_it_was(store: Store, deployment: str) -> None:
    await start(store, deployment)
    image = Image(reference=f"{IMAGE}:v1", id="sha256:" + "1" * 64)
    report = StepReport(state=StepState.RUNNING, run_id="run-1", attempt=1, image=image)
    async with store.write() as tx:
        await steps.report(tx, deployment, "pull", report)
    await fail(store, deployment, Reason.UNHEALTHY, run_id="run-1")
    [*_, before] = await after(store, 0)
    await start(store, deployment, "run-2")
    async with store.write() as tx:
        again = report.model_copy(update={"run_id": "run-2", "attempt": 2})
        await steps.report(tx, deployment, "pull", again)
    await succeed(store, deployment, "run-2")

    created, started, failed, _, succeeded = await after(store, 0)

    def shown(event: Event) -> list[tuple[str, str, int]]:
        return [(step.name, step.state, step.attempts) for step in event.deployment.steps]

    assert [one.deployment.row.state for one in (created, started, failed, succeeded)] == [
        "created", "started", "failed", "succeeded",
    ]  # fmt: skip
    assert (created.deployment.image.id, failed.deployment.image) == (None, image)
    assert (shown(created), shown(started)) == ([], [])
    assert shown(failed) == [("pull", "failed", 1)]
    assert shown(succeeded) == [("pull", "succeeded", 2)]
    assert failed.deployment.row.finished_at == failed.at == before.at
    assert failed.settings is not None
    assert failed.settings.labels == {"team": "a"}


async def test_an_event_outlives_the_record(store: Store, deployment: str) -> None:
    await fail(store, deployment, Reason.CANCELLED)
    async with store.write() as tx:
        row = await deployments.find_row(tx, deployment)
        await events.record(tx, EventKind.DELETED, row)
        await tx.session.delete(row)

    *_, last = await after(store, 0)
    async with store.write() as tx:
        await retention.forget(replace(tx, now=tx.now + timedelta(days=89)), timedelta(90))
    kept = await after(store, 0)
    async with store.write() as tx:
        await retention.forget(replace(tx, now=tx.now + timedelta(days=91)), timedelta(90))

    assert (last.kind, last.deployment.id) == (EventKind.DELETED, deployment)
    assert last.deployment.image.reference == f"{IMAGE}:v1"
    assert [one.kind for one in kept] == [CREATED, FAILED, EventKind.DELETED]
    assert await after(store, 0) == []


async def test_a_change_that_is_rolled_back_has_no_event(store: Store, deployment: str) -> None:
    async def change() -> None:
        async with store.write() as tx:
            await lifecycle.started(tx, deployment, "run-1")
            raise Conflict("no")

    with pytest.raises(Conflict):
        await change()

    assert await events_of(store, deployment) == [CREATED]
    async with store.read() as tx:
        assert (await deployments.find_row(tx, deployment)).state == "created"


async def test_a_call_that_fails_in_a_shared_commit_leaves_no_event(
    store: Store, deployment: str
) -> None:
    other = await new_deployment(store, await new_application(store, "blog"))

    async def works(tx: Transaction) -> None:
        await lifecycle.started(tx, deployment, "run-1")

    async def fails(tx: Transaction) -> None:
        await lifecycle.started(tx, other, "run-1")
        raise Conflict("no")

    results = await asyncio.gather(
        *(store.admit(work) for work in (fails, works)), return_exceptions=True
    )

    assert [type(one) for one in results] == [Conflict, type(None)]
    assert await events_of(store, deployment) == [CREATED, STARTED]
    assert await events_of(store, other) == [CREATED]


async def test_events_are_filtered_and_read_in_pages(store: Store) -> None:
    shop, blog = await new_application(store), await new_application(store, "blog")
    for application in (shop, blog, shop):
        await succeed(store, await new_deployment(store, application))
    made = Filter(shop, frozenset({CREATED}))

    async with store.read() as tx:
        newest = await events.page(tx, ALL, before=None, limit=4)
        rest = await events.page(tx, ALL, before=newest[-1].id, limit=4)

    ids = [one.id for one in newest + rest]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 6
    assert [one.kind for one in await after(store, 0, made)] == [CREATED, CREATED]
    assert {one.deployment.application.id for one in await after(store, 0, made)} == {shop}
    assert [one.id for one in await after(store, ids[-1], limit=2)] == ids[-2:-4:-1]


async def test_an_id_is_never_given_twice(store: Store, deployment: str) -> None:
    await fail(store, deployment, Reason.CANCELLED)
    *_, last = await after(store, 0)
    async with store.write() as tx:
        await retention.forget(replace(tx, now=tx.now + timedelta(days=91)), timedelta(90))
    assert await after(store, 0) == []

    await new_deployment(store, await new_application(store, "blog"))

    [one] = await after(store, 0)
    assert one.id > last.id


def test_events_are_written_in_one_place() -> None:
    root = Path(__file__).parents[3]
    paths = [path for top in ("aweigh", "activities", "api") for path in (root / top).rglob("*.py")]

    makers = {path.name for path in paths if re.search(r"\bEventRow\(", path.read_text())}
    assert makers - {"tables.py"} == {"events.py"}
