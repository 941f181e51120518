"""Events are numbered in the order of the commits, so a reader misses none."""

import asyncio

from sqlalchemy import text

from aweigh.deployments.deployment import EventKind
from aweigh.store import events, lifecycle
from aweigh.store.database import Store
from aweigh.store.events import Event, Filter
from tests.support.installation import (
    Databases,
    new_application,
    new_deployment,
    open_store,
    start,
)

STARTED, SUCCEEDED = EventKind.STARTED, EventKind.SUCCEEDED
ALL = Filter()


async def after(store: Store, position: int, wanted: Filter = ALL, limit: int = 100) -> list[Event]:
    async with store.read() as tx:
        return await events.after(tx, wanted, position, limit)


async def test_a_reader_misses_nothing_of_many_writers(store: Store) -> None:
    made = [
        await new_deployment(store, await new_application(store, f"app-{number}"))
        for number in range(12)
    ]
    position = (await after(store, 0))[-1].id

    async def write(number: int, deployment: str) -> None:
        async with store.write() as tx:
            await lifecycle.started(tx, deployment, "run-1")
            await asyncio.sleep(number * 7 % 12 / 200)  # others commit meanwhile
        async with store.write() as tx:
            await lifecycle.succeeded(tx, deployment, "run-1")

    writing = asyncio.gather(*(write(number, one) for number, one in enumerate(made)))
    seen: list[Event] = []
    found: list[Event] = []
    while found or not writing.done():
        found = await after(store, position, limit=5)
        seen += found
        position = found[-1].id if found else position
    seen += await after(store, position)
    await writing

    expected = [(one, kind) for one in made for kind in (STARTED, SUCCEEDED)]
    assert sorted((one.deployment.id, one.kind) for one in seen) == sorted(expected)


async def test_a_transaction_that_began_first_and_commits_last_is_not_skipped(
    postgres_databases: Databases,
) -> None:
    async with open_store(postgres_databases.new()) as store:
        slow, quick = [
            await new_deployment(store, await new_application(store, name)) for name in "ab"
        ]
        position = (await after(store, 0))[-1].id

        async with store.write() as tx:
            await lifecycle.started(tx, slow, "run-1")
            await start(store, quick)
            [first] = await after(store, position)

        assert first.deployment.id == quick
        assert [one.deployment.id for one in await after(store, first.id)] == [slow]


async def test_numbers_are_given_while_nobody_else_commits(postgres_databases: Databases) -> None:
    async with open_store(postgres_databases.new()) as store:
        slow, quick = [
            await new_deployment(store, await new_application(store, name)) for name in "ab"
        ]
        position = (await after(store, 0))[-1].id

        async with store.write() as tx:
            await lifecycle.started(tx, slow, "run-1")
            await store._write_events(tx)  # numbered, and not committed yet
            tx.events.clear()
            waiting = asyncio.create_task(start(store, quick))
            while not await _waits_for_its_number(store):
                assert not waiting.done()
                await asyncio.sleep(0.01)
            assert await after(store, position) == []
        await waiting

        assert [one.deployment.id for one in await after(store, position)] == [slow, quick]


async def _waits_for_its_number(store: Store) -> bool:
    query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with store.read() as tx:
        return bool(await tx.session.scalar(query))
