"""The order of writers: urgent ones first, none starves, several calls share a commit."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event, make_url, select

from aweigh.core.errors import Invalid, Unavailable
from aweigh.store.database import Store, Transaction
from aweigh.store.tables import MetaRow
from aweigh.store.transactions.group_commit import GroupCommit
from tests.support.installation import MIGRATED_KEYS, Databases, open_store


@pytest.fixture
def url(sqlite_databases: Databases) -> str:
    return sqlite_databases.new()


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with open_store(url) as opened:
        yield opened


async def put(tx: Transaction, key: str) -> str:
    tx.session.add(MetaRow(key=key, value="x"))
    await tx.session.flush()
    return key


async def keys(store: Store) -> set[str]:
    async with store.read() as tx:
        return set(await tx.session.scalars(select(MetaRow.key))) - MIGRATED_KEYS


async def writers(store: Store, order: list[str]) -> list["asyncio.Task[None]"]:
    """Three who may wait, then three who are urgent, all of them waiting."""

    async def write(name: str, *, urgent: bool) -> None:
        async with store.write(urgent=urgent):
            order.append(name)

    tasks = []
    for number in range(6):
        name = "urgent" if number >= 3 else "other"
        tasks.append(asyncio.create_task(write(name, urgent=number >= 3)))
        await asyncio.sleep(0)
    return tasks


async def test_urgent_writers_go_first(store: Store) -> None:
    order: list[str] = []
    async with store.write():
        tasks = await writers(store, order)
    await asyncio.gather(*tasks)

    assert order == ["urgent"] * 3 + ["other"] * 3


async def test_urgent_writers_starve_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aweigh.store.transactions.write_lock._LONG", 0.0)
    order: list[str] = []
    async with store.write():
        tasks = await writers(store, order)
    await asyncio.gather(*tasks)

    assert order == ["other"] * 3 + ["urgent"] * 3


async def test_a_cancelled_writer_passes_its_turn_on(store: Store) -> None:
    order: list[str] = []
    async with store.write():
        tasks = await writers(store, order)
        tasks[3].cancel()
        tasks[4].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert order == ["urgent"] + ["other"] * 3
    async with store.write() as tx:
        await put(tx, "later")


async def test_writers_of_several_processes_all_get_their_turn(store: Store, url: str) -> None:
    async def write(one: Store, key: str, *, urgent: bool) -> None:
        async with one.write(urgent=urgent) as tx:
            await put(tx, key)

    async with open_store(url) as other:
        work = [
            write(one, f"{name}-{number}", urgent=number % 2 == 0)
            for number in range(20)
            for name, one in (("mine", store), ("others", other))
        ]
        await asyncio.gather(*work)

    assert len(await keys(store)) == 40


def commits_of(store: Store) -> list[None]:
    made: list[None] = []
    event.listen(store._engine.sync_engine, "commit", lambda _: made.append(None))
    return made


async def test_concurrent_calls_share_a_commit(store: Store) -> None:
    commits = commits_of(store)

    done = await asyncio.gather(*(store.admit(partial(put, key=f"{n}")) for n in range(30)))

    assert set(done) == await keys(store) == {str(number) for number in range(30)}
    assert len(commits) <= 3


async def test_an_error_rolls_back_one_call_and_no_other(store: Store) -> None:
    async def fail(tx: Transaction) -> None:
        await put(tx, "undone")
        raise Invalid("tag", "is not a tag")

    async def unstorable(tx: Transaction) -> None:
        await put(tx, "\ud800")

    async def twice(tx: Transaction) -> None:
        await put(tx, "one")

    calls = [lambda tx: put(tx, "one"), fail, unstorable, twice, lambda tx: put(tx, "two")]
    ends = await asyncio.gather(*(store.admit(one) for one in calls), return_exceptions=True)

    assert [type(one).__name__ for one in ends] == [
        "str", "Invalid", "Invalid", "IntegrityError", "str",
    ]  # fmt: skip
    assert await keys(store) == {"one", "two"}


async def test_a_cancelled_call_is_not_run(store: Store) -> None:
    async with store.write():
        calls = [asyncio.create_task(store.admit(partial(put, key=f"{n}"))) for n in range(40)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        calls[35].cancel()
    await asyncio.gather(*calls, return_exceptions=True)

    assert "35" not in await keys(store)
    assert len(await keys(store)) == 39


async def test_a_locked_database_fails_all_waiting_calls(url: str) -> None:
    other = sqlite3.connect(Path(make_url(url).database or ""), isolation_level=None)
    async with open_store(url, patience=0.2) as store:
        other.execute("BEGIN IMMEDIATE")
        ends = await asyncio.gather(
            *(store.admit(partial(put, key=f"{n}")) for n in range(5)),
            return_exceptions=True,
        )
        other.execute("ROLLBACK")
        other.close()

        assert [type(one) for one in ends] == [Unavailable] * 5
        await store.admit(lambda tx: put(tx, "later"))
        assert await keys(store) == {"later"}


async def test_a_call_that_would_wait_too_long_is_refused_at_once() -> None:
    gate = asyncio.Event()

    @asynccontextmanager
    async def slow() -> AsyncIterator[None]:
        await gate.wait()
        yield

    async def work(_: None) -> str:
        return "done"

    group: GroupCommit[None] = GroupCommit(slow, lambda _: nullcontext())
    calls = [asyncio.create_task(group.run(work, 0.05)) for _ in range(100)]

    _, waiting = await asyncio.wait(calls, timeout=5)
    while len(waiting) > 32:  # the machine may be busy
        _, waiting = await asyncio.wait(waiting, timeout=5)
    gate.set()
    ends = await asyncio.gather(*calls, return_exceptions=True)

    assert ends.count("done") == len(waiting)
    assert {str(one) for one in ends if isinstance(one, Unavailable)} == {
        "too many calls are waiting; try again"
    }
