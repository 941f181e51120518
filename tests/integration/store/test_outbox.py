"""What must still be told to Temporal: closed by a record, never by the hand-over."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from aweigh.deployments.deployment import Reason
from aweigh.store import applications, lifecycle, outbox, removals
from aweigh.store.database import Store, Transaction
from tests.support.installation import (
    Databases,
    new_application,
    new_deployment,
    open_store,
    start,
    succeed,
)


@pytest.fixture
async def application(store: Store) -> str:
    return await new_application(store)


@pytest.fixture
async def deployment(store: Store, application: str) -> str:
    return await new_deployment(store, application)


def later(tx: Transaction, seconds: float) -> Transaction:
    return replace(tx, now=tx.now + timedelta(seconds=seconds))


async def due(store: Store, after: float = 0) -> list[tuple[str, str]]:
    async with store.read() as tx:
        rows = await outbox.due(later(tx, after))
    return [(row.kind, row.subject) for row in rows]


async def hand_over(store: Store) -> None:
    async with store.write() as tx:
        await outbox.handed_over(tx, [row.id for row in await outbox.due(tx)])


async def test_a_new_deployment_is_due_at_once(store: Store, deployment: str) -> None:
    assert await due(store) == [(outbox.DEPLOY, deployment)]


async def test_what_was_handed_over_is_due_again_until_a_record_closes_it(
    store: Store, deployment: str
) -> None:
    await hand_over(store)

    assert await due(store) == []
    assert await due(store, 29) == []
    assert await due(store, 31) == [(outbox.DEPLOY, deployment)]


async def test_hand_overs_are_counted(store: Store, deployment: str) -> None:
    async with store.write() as tx:
        (row,) = await outbox.due(tx)
        for _ in range(3):
            await outbox.handed_over(tx, [row.id])

    async with store.read() as tx:
        (row,) = await outbox.due(later(tx, 60))
    assert row.attempts == 3


async def test_the_first_record_closes_it(store: Store, deployment: str) -> None:
    await start(store, deployment)

    assert await due(store, 3600) == []


async def test_an_end_closes_it_and_its_cancel(store: Store, deployment: str) -> None:
    async with store.write() as tx:
        await outbox.put(tx, outbox.CANCEL, deployment)
    assert len(await due(store)) == 2

    async with store.write() as tx:
        await lifecycle.failed(tx, deployment, Reason.CANCELLED, "It was cancelled.")

    assert await due(store, 3600) == []


async def test_success_closes_it(store: Store, deployment: str) -> None:
    await succeed(store, deployment)

    assert await due(store, 3600) == []


async def test_asking_again_makes_it_due_at_once_and_once(store: Store, deployment: str) -> None:
    async with store.write() as tx:
        await outbox.put(tx, outbox.CANCEL, deployment)
    await hand_over(store)
    async with store.write() as tx:
        await outbox.put(tx, outbox.CANCEL, deployment)

    assert await due(store) == [(outbox.CANCEL, deployment)]


async def test_a_removal_is_due_until_it_is_done(store: Store, application: str) -> None:
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await removals.request(tx, found.row, volumes=False)
    await hand_over(store)
    assert await due(store, 31) == [(outbox.REMOVE, application)]

    async with store.write() as tx:
        await removals.succeeded(tx, application)

    assert await due(store, 3600) == []


async def test_a_removal_that_failed_says_why_and_can_be_asked_for_again(
    store: Store, application: str
) -> None:
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await removals.request(tx, found.row, volumes=False)
    async with store.write() as tx:
        await removals.failed(tx, application, "The server is offline.")
    assert await due(store, 3600) == []
    async with store.read() as tx:
        row = (await applications.find(tx, application)).row
        assert (row.removal_message, row.removed_at) == ("The server is offline.", None)

    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await removals.request(tx, found.row, volumes=False)
        assert found.row.removal_message is None

    assert await due(store) == [(outbox.REMOVE, application)]


async def test_what_is_older_comes_first_and_no_more_than_asked_for(
    store: Store, application: str
) -> None:
    made = [await new_deployment(store, application) for _ in range(4)]

    async with store.read() as tx:
        rows = await outbox.due(tx, limit=3)

    assert [row.subject for row in rows] == made[:3]


async def test_what_could_not_be_told_comes_soon_and_behind_the_rest(
    store: Store, application: str
) -> None:
    failing = await new_deployment(store, application)
    async with store.write() as tx:
        await outbox.postpone(tx, [row.id for row in await outbox.due(tx)])
    made = await new_deployment(store, application)

    assert await due(store) == [(outbox.DEPLOY, made)]
    assert await due(store, 2) == [(outbox.DEPLOY, made), (outbox.DEPLOY, failing)]


async def test_a_row_that_is_closed_during_its_hand_over_stays_closed(
    store: Store, deployment: str
) -> None:
    async with store.read() as tx:
        ids = [row.id for row in await outbox.due(tx)]

    async def note() -> None:
        async with store.write() as tx:
            await outbox.handed_over(tx, ids)

    await asyncio.gather(start(store, deployment), *(note() for _ in range(10)))

    assert await due(store, 3600) == []


async def test_a_row_that_is_closed_within_a_hand_over_disturbs_nobody(
    postgres_databases: Databases,
) -> None:
    # On PostgreSQL only: SQLite lets one writer in at a time.
    async with open_store(postgres_databases.new()) as store:
        made = await new_deployment(store, await new_application(store))
        async with store.write() as tx:
            ids = [row.id for row in await outbox.due(tx)]
            await start(store, made)

            await outbox.handed_over(tx, ids)

        assert await due(store, 3600) == []
