"""The records of a deployment's life, each safe to repeat."""

import asyncio
from typing import Any

import pytest

from aweigh.contract import StepReport
from aweigh.deployments.deployment import DeploymentState, EventKind, Reason, StepState, Trigger
from aweigh.deployments.source import ImageSource
from aweigh.store import admission, applications, deployments, lifecycle, removals, steps
from aweigh.store.admission import Order
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow, DeploymentRow
from tests.support.installation import (
    events_of,
    new_application,
    new_deployment,
    settings_of,
    start,
    succeed,
)

CREATED, STARTED = EventKind.CREATED, EventKind.STARTED


async def fail(store: Store, deployment_id: str, run_id: str | None = "run-1", **more: Any) -> None:
    async with store.write() as tx:
        await lifecycle.failed(
            tx, deployment_id, Reason.UNHEALTHY, "It did not answer.", run_id=run_id, **more
        )


async def row_of(store: Store, deployment_id: str) -> DeploymentRow:
    async with store.read() as tx:
        return await deployments.find_row(tx, deployment_id)


async def application_of(store: Store, application_id: str) -> ApplicationRow:
    async with store.read() as tx:
        return await tx.session.get_one(ApplicationRow, application_id)


@pytest.fixture
async def application(store: Store) -> str:
    return await new_application(store)


@pytest.fixture
async def deployment(store: Store, application: str) -> str:
    return await new_deployment(store, application)


async def test_a_created_deployment_starts_once(store: Store, deployment: str) -> None:
    assert await start(store, deployment)
    first = await row_of(store, deployment)

    assert await start(store, deployment)

    again = await row_of(store, deployment)
    assert (again.state, again.run_id, again.attempts) == (DeploymentState.STARTED, "run-1", 1)
    assert again.started_at == first.started_at is not None
    assert await events_of(store, deployment) == [CREATED, STARTED]


async def test_of_two_records_at_once_one_starts_it(store: Store, deployment: str) -> None:
    await asyncio.gather(*(start(store, deployment) for _ in range(8)))

    assert await events_of(store, deployment) == [CREATED, STARTED]


async def test_one_that_ended_before_it_began_does_not_start(store: Store, deployment: str) -> None:
    await fail(store, deployment, run_id=None)

    assert not await start(store, deployment)

    assert (await row_of(store, deployment)).state == DeploymentState.FAILED
    assert await events_of(store, deployment) == [CREATED, EventKind.FAILED]


async def test_a_failure_is_told_with_its_reason(store: Store, deployment: str) -> None:
    await start(store, deployment)

    await fail(store, deployment)

    row = await row_of(store, deployment)
    assert (row.state, row.reason, row.message) == (
        DeploymentState.FAILED, Reason.UNHEALTHY, "It did not answer.",
    )  # fmt: skip
    assert row.finished_at is not None
    assert await events_of(store, deployment) == [CREATED, STARTED, EventKind.FAILED]


async def test_a_failure_is_recorded_once(store: Store, deployment: str) -> None:
    await start(store, deployment)
    await fail(store, deployment)
    first = await row_of(store, deployment)

    async with store.write() as tx:
        await lifecycle.failed(tx, deployment, Reason.TERMINATED, "Another.", run_id="run-1")

    again = await row_of(store, deployment)
    assert (again.reason, again.finished_at) == (first.reason, first.finished_at)
    assert (await events_of(store, deployment)).count(EventKind.FAILED) == 1


async def test_the_one_that_took_its_place_is_named(
    store: Store, application: str, deployment: str
) -> None:
    newer = await new_deployment(store, application)

    await fail(store, deployment, superseded_by=newer)

    assert (await row_of(store, deployment)).superseded_by == newer


async def test_success_makes_it_live(store: Store, application: str, deployment: str) -> None:
    await start(store, deployment)

    await succeed(store, deployment)

    row, owner = await row_of(store, deployment), await application_of(store, application)
    assert row.state == DeploymentState.SUCCEEDED
    assert (owner.live, owner.live_since) == (deployment, row.finished_at)
    assert await events_of(store, deployment) == [CREATED, STARTED, EventKind.SUCCEEDED]


async def test_success_is_recorded_once(store: Store, deployment: str) -> None:
    await start(store, deployment)
    await succeed(store, deployment)
    first = await row_of(store, deployment)

    await succeed(store, deployment)

    assert (await row_of(store, deployment)).finished_at == first.finished_at
    assert (await events_of(store, deployment)).count(EventKind.SUCCEEDED) == 1


async def test_success_is_final(store: Store, application: str, deployment: str) -> None:
    await start(store, deployment)
    await succeed(store, deployment)

    await fail(store, deployment, run_id="run-2")

    row = await row_of(store, deployment)
    assert (row.state, row.reason) == (DeploymentState.SUCCEEDED, None)
    assert (await application_of(store, application)).live == deployment


async def test_success_holds_whatever_was_recorded_before(store: Store, deployment: str) -> None:
    await start(store, deployment)
    await fail(store, deployment)

    await succeed(store, deployment)

    row = await row_of(store, deployment)
    assert (row.state, row.reason, row.message) == (DeploymentState.SUCCEEDED, None, None)


async def test_a_late_record_of_an_older_one_does_not_become_live(
    store: Store, application: str, deployment: str
) -> None:
    newer = await new_deployment(store, application)
    await succeed(store, newer)

    await succeed(store, deployment)

    assert (await row_of(store, deployment)).state == DeploymentState.SUCCEEDED
    assert (await application_of(store, application)).live == newer


async def test_a_late_record_does_not_bring_a_removed_application_back(
    store: Store, application: str
) -> None:
    late = await new_deployment(store, application, tag="v2")
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await removals.request(tx, found.row, volumes=False)
        await removals.succeeded(tx, application)

    await succeed(store, late)

    assert (await row_of(store, late)).state == DeploymentState.SUCCEEDED
    assert (await application_of(store, application)).live is None


async def tag_of(store: Store, application_id: str) -> str:
    async with store.read() as tx:
        settings = (await applications.find(tx, application_id)).settings
    assert isinstance(settings.source, ImageSource)
    return str(settings.source.reference).rpartition("/")[2]


async def test_a_tag_enters_the_settings_when_it_is_live(store: Store, application: str) -> None:
    made = await new_deployment(store, application, tag="v2")
    await start(store, made)
    assert await tag_of(store, application) == "shop:v1"

    await succeed(store, made)

    assert await tag_of(store, application) == "shop:v2"


async def test_a_digest_enters_the_settings_when_it_is_live(store: Store, application: str) -> None:
    digest = f"sha256:{'a' * 64}"

    await succeed(store, await new_deployment(store, application, tag=digest))

    assert await tag_of(store, application) == f"shop@{digest}"


async def test_a_tag_that_failed_does_not_enter_the_settings(
    store: Store, application: str
) -> None:
    made = await new_deployment(store, application, tag="v2")
    await start(store, made)

    await fail(store, made)

    assert await tag_of(store, application) == "shop:v1"


async def test_a_rollback_takes_the_older_releases_tag(store: Store, application: str) -> None:
    first = await new_deployment(store, application)
    await succeed(store, first)
    await succeed(store, await new_deployment(store, application, tag="v2"))
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        row = await deployments.find_row(tx, first)
        order = Order(trigger=Trigger.ROLLBACK, actor="ci", retry_of=first)
        again = await admission.admit_again(tx, found, row, order)

    await succeed(store, again.id)

    assert await tag_of(store, application) == "shop:v1"


async def test_a_late_record_of_an_older_one_does_not_take_the_tag_back(
    store: Store, application: str
) -> None:
    older = await new_deployment(store, application, tag="v2")
    await succeed(store, await new_deployment(store, application, tag="v3"))

    await succeed(store, older)

    assert await tag_of(store, application) == "shop:v3"


async def test_a_tag_leaves_the_rest_of_the_settings_as_it_is_now(
    store: Store, application: str
) -> None:
    made = await new_deployment(store, application, tag="v2")
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await applications.change(tx, found, settings_of(replicas=3, env={"A": "b"}))

    await succeed(store, made)

    async with store.read() as tx:
        now = (await applications.find(tx, application)).settings
    assert now == settings_of(source={"tag": "v2"}, replicas=3, env={"A": "b"})


async def test_a_tag_does_not_enter_the_settings_of_another_image(
    store: Store, application: str
) -> None:
    made = await new_deployment(store, application, tag="v2")
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        source = {"image": "registry.example.com/acme/blog", "tag": "b1"}
        await applications.change(tx, found, settings_of(source=source))

    await succeed(store, made)

    assert await tag_of(store, application) == "blog:b1"


async def test_an_end_closes_the_steps_that_still_ran(store: Store, deployment: str) -> None:
    await start(store, deployment)
    report = StepReport(state=StepState.RUNNING, run_id="run-1", attempt=1)
    async with store.write() as tx:
        await steps.report(tx, deployment, "create", report)

    await fail(store, deployment)

    async with store.read() as tx:
        (step,) = (await deployments.find(tx, deployment)).steps
    assert (step.name, step.state) == ("create", "failed")
    assert step.finished_at == (await row_of(store, deployment)).finished_at
