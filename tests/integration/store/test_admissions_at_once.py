"""PostgreSQL takes many writers; calls that would wait too long for it are refused at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aweigh.core.errors import Unavailable
from aweigh.store.database import _ADMISSIONS_AT_ONCE, Store, Transaction
from aweigh.store.tables import ApplicationRow
from aweigh.store.transactions.concurrent_calls import ConcurrentCalls
from tests.support.api_caller import open_api
from tests.support.installation import Databases, open_store

HOUR = 3600.0
DAYS = 1e6


class Clock:
    """The time by which calls are measured."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("aweigh.store.transactions.concurrent_calls.time", made)
    return made


@pytest.fixture
async def store(postgres_databases: Databases) -> AsyncIterator[Store]:
    async with open_store(postgres_databases.new()) as opened:
        yield opened


def calls_of(store: Store) -> ConcurrentCalls[Transaction]:
    assert isinstance(store._admissions, ConcurrentCalls)
    return store._admissions


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(300):
        while not is_so():
            await asyncio.sleep(0.01)


async def nothing(tx: Transaction) -> str:
    await tx.session.execute(select(1))
    return "done"


async def slow_before(store: Store, clock: Clock) -> None:
    """An earlier call took an hour."""

    async def slow(tx: Transaction) -> str:
        clock.now += HOUR
        return await nothing(tx)

    await store.admit(slow)


@asynccontextmanager
async def all_places_taken(store: Store) -> AsyncIterator[list[asyncio.Task[str]]]:
    """As many calls as may run are running until the end of the block, and one is next in line."""
    may_end = asyncio.Event()

    async def held(tx: Transaction) -> str:
        await may_end.wait()
        return await nothing(tx)

    calls = [asyncio.create_task(store.admit(held)) for _ in range(_ADMISSIONS_AT_ONCE)]
    await until(lambda: calls_of(store)._running == _ADMISSIONS_AT_ONCE)
    calls.append(asyncio.create_task(store.admit(nothing, patience=600)))
    await until(lambda: calls_of(store).is_busy)
    try:
        yield calls
    finally:
        may_end.set()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_a_call_that_would_wait_too_long_is_refused_at_once(
    store: Store, clock: Clock
) -> None:
    await slow_before(store, clock)
    async with all_places_taken(store) as calls:
        assert store.is_overloaded
        with pytest.raises(Unavailable, match="too many calls"):
            await store.admit(nothing, patience=600)
        patient = asyncio.create_task(store.admit(nothing, patience=DAYS))
        await until(lambda: calls_of(store)._waiting == 2)

    assert [await call for call in (*calls, patient)] == ["done"] * (_ADMISSIONS_AT_ONCE + 2)
    assert not store.is_overloaded
    assert await store.admit(nothing) == "done"


async def test_calls_wait_while_earlier_ones_were_quick(store: Store, clock: Clock) -> None:
    await store.admit(nothing)
    async with all_places_taken(store):
        assert not store.is_overloaded
        waiting = asyncio.create_task(store.admit(nothing, patience=600))
        await until(lambda: calls_of(store)._waiting == 2)

    assert await waiting == "done"


async def test_a_call_that_waits_longer_than_estimated_is_refused_and_leaves_its_place(
    store: Store,
) -> None:
    async with all_places_taken(store) as calls:
        with pytest.raises(Unavailable, match="too many calls"):
            await store.admit(nothing, patience=0.01)
        calls[-1].cancel()
        await until(lambda: not calls_of(store).is_busy)

    async with all_places_taken(store) as again:
        pass
    assert [await call for call in again] == ["done"] * (_ADMISSIONS_AT_ONCE + 1)


async def test_an_error_rolls_back_and_frees_the_place(store: Store) -> None:
    async def fail(tx: Transaction) -> None:
        raise RuntimeError("of this call alone")

    for _ in range(_ADMISSIONS_AT_ONCE + 1):
        with pytest.raises(RuntimeError):
            await store.admit(fail)

    assert await store.admit(nothing) == "done"


async def test_while_all_places_are_taken_others_read_and_write(store: Store) -> None:
    async with all_places_taken(store):
        async with store.read() as tx:
            assert await nothing(tx) == "done"
        async with store.write() as tx:
            assert await nothing(tx) == "done"


@asynccontextmanager
async def locked(store: Store, application: dict[str, Any]) -> AsyncIterator[None]:
    """Another transaction holds the application's row."""
    query = select(ApplicationRow).where(ApplicationRow.id == application["id"])
    async with store.write() as tx:
        assert await tx.locked(query)
        yield


async def test_hook_is_answered_503_before_authentication_and_others_are_answered(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    async with open_api(store, tmp_path) as caller:
        shop = await caller.create()
        await slow_before(store, clock)
        async with locked(store, shop):
            taken = [asyncio.create_task(caller.hook(shop)) for _ in range(_ADMISSIONS_AT_ONCE)]
            await until(lambda: calls_of(store)._running == _ADMISSIONS_AT_ONCE)
            line = asyncio.create_task(store.admit(nothing, patience=600))
            await until(lambda: calls_of(store).is_busy)
            refused = await caller.hook(shop | {"deploy_secret": "of nobody"})
            others = await caller.get("/v1/applications")
        answers = await asyncio.gather(*taken)

        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.json()["detail"] == "too many calls are waiting; try again"
        assert [one["slug"] for one in others["items"]] == ["shop"]
        assert {one.status_code for one in answers} == {202}
        assert await line == "done"
        assert (await caller.hook(shop)).status_code == 202
