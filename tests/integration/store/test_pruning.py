"""Histories are pruned to what their applications keep: the oldest deployments are deleted."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from aweigh.deployments.deployment import Reason, Trigger
from aweigh.store import admission, applications, lifecycle, retention
from aweigh.store.admission import Order
from aweigh.store.database import Store
from aweigh.store.pruning import Pruned, Pruning
from aweigh.store.tables import ApplicationRow, DeploymentRow
from tests.support.installation import (
    SERVER,
    events_of,
    new_application,
    new_deployment,
    settings_of,
    succeed,
)


@pytest.fixture
def pruning(store: Store) -> Pruning:
    return Pruning(store, keep_releases=5)


async def fail_many(store: Store, application: str, number: int) -> None:
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        for _ in range(number):
            made = await admission.admit(tx, found, Order(trigger=Trigger.HOOK, actor="hook"))
            await lifecycle.failed(tx, made.id, Reason.UNHEALTHY, "no")


async def sequences(store: Store, application: str) -> list[int]:
    query = select(DeploymentRow.sequence).where(DeploymentRow.application_id == application)
    async with store.read() as tx:
        return list(await tx.session.scalars(query.order_by(DeploymentRow.sequence)))


async def keep(store: Store, application: str, **limits: int) -> None:
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await applications.change(tx, found, settings_of(keep_deployments=limits))


async def age(store: Store, days: int) -> None:
    """Let all that has ended have ended so many days ago."""
    async with store.write() as tx:
        ended = DeploymentRow.finished_at.is_not(None)
        past = {"finished_at": tx.now - timedelta(days=days)}
        await tx.session.execute(update(DeploymentRow).where(ended).values(**past))


async def test_the_newest_are_kept_and_each_that_goes_is_told(
    store: Store, pruning: Pruning
) -> None:
    application = await new_application(store)
    other = await new_application(store, "other")
    await fail_many(store, application, 203)
    await fail_many(store, other, 3)

    assert await pruning.run(SERVER) == Pruned(3)

    assert await sequences(store, application) == list(range(4, 204))
    assert await sequences(store, other) == [1, 2, 3]
    assert (await events_of(store, None)).count("deployment.deleted") == 3
    assert await pruning.run(SERVER) == Pruned(0)


async def test_what_is_older_than_the_limit_goes_but_what_must_stay(
    store: Store, pruning: Pruning
) -> None:
    application = await new_application(store)
    made = [await new_deployment(store, application) for _ in range(6)]
    for one in made[:3]:
        await succeed(store, one)
    async with store.write() as tx:
        await lifecycle.failed(tx, made[3], Reason.UNHEALTHY, "no")
    await age(store, 364)
    assert await pruning.run(SERVER) == Pruned(0)

    await age(store, 366)
    await pruning.run(SERVER)

    # the way back, what is live, and what is open
    assert await sequences(store, application) == [2, 3, 5, 6]


async def test_an_application_may_keep_less(store: Store, pruning: Pruning) -> None:
    application, other = await new_application(store), await new_application(store, "other")
    for one in (application, other):
        await fail_many(store, one, 25)

    await keep(store, application, count=2)
    assert await pruning.run(SERVER) == Pruned(23)

    assert await sequences(store, application) == [24, 25]
    assert len(await sequences(store, other)) == 25


async def test_a_run_deletes_so_many_at_most_and_says_that_there_are_more(
    store: Store, pruning: Pruning
) -> None:
    application = await new_application(store)
    await fail_many(store, application, 30)
    await keep(store, application, count=1)

    assert await pruning.run(SERVER, most=14) == Pruned(14, more=True)
    assert await sequences(store, application) == list(range(15, 31))
    assert await pruning.run(SERVER, most=20) == Pruned(15)


async def test_another_servers_histories_are_left_alone(store: Store, pruning: Pruning) -> None:
    application = await new_application(store)
    await fail_many(store, application, 3)
    await keep(store, application, count=1)

    assert await pruning.run("eu-1") == Pruned(0)
    assert len(await sequences(store, application)) == 3


async def test_an_application_that_cannot_be_read_hinders_no_other(
    store: Store, pruning: Pruning
) -> None:
    bad, good = await new_application(store, "bad"), await new_application(store, "good")
    for one in (bad, good):
        await fail_many(store, one, 3)
        await keep(store, one, count=1)
    async with store.write() as tx:
        broken: dict[str, Any] = {"settings": "0a0b0c0d:torn"}
        here = ApplicationRow.id == bad
        await tx.session.execute(update(ApplicationRow).where(here).values(**broken))

    assert await pruning.run(SERVER) == Pruned(2, skipped=(bad,))

    assert len(await sequences(store, bad)) == 3
    assert await sequences(store, good) == [3]


async def test_events_of_what_is_gone_go_when_they_have_had_their_time(
    store: Store, pruning: Pruning
) -> None:
    application = await new_application(store)
    await fail_many(store, application, 2)
    await keep(store, application, count=1)
    await pruning.run(SERVER)
    kinds = await events_of(store, None)
    assert kinds.count("deployment.deleted") == 1

    for days, left in ((89, kinds), (91, [])):
        async with store.write() as tx:
            await retention.forget(replace(tx, now=tx.now + timedelta(days=days)), timedelta(90))

        assert await events_of(store, None) == left
