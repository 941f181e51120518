"""Who waits for the write lock of an SQLite database, and gives up, takes nobody's turn."""

import asyncio
from pathlib import Path

import pytest

from aweigh.store.transactions.write_lock import WriteLock


@pytest.fixture
def lock(tmp_path: Path) -> WriteLock:
    return WriteLock(tmp_path / "aweigh.db", patience=5)


async def write(lock: WriteLock, urgent: bool = True) -> None:
    async with lock.hold(urgent=urgent):
        pass


@pytest.mark.parametrize("urgent", [True, False])
async def test_a_writer_cancelled_as_its_turn_comes_leaves_the_lock_to_others(
    lock: WriteLock, urgent: bool
) -> None:
    async with lock.hold(urgent=True):
        waiting = asyncio.create_task(write(lock, urgent))
        after = asyncio.create_task(write(lock, urgent))
        await asyncio.sleep(0)
        waiting.cancel()  # it has not run since when the lock is passed on

    await asyncio.wait_for(asyncio.gather(after, write(lock)), 5)
    assert waiting.cancelled()


async def test_a_writer_cancelled_after_its_turn_came_passes_it_on(lock: WriteLock) -> None:
    async with lock.hold(urgent=True):
        waiting = asyncio.create_task(write(lock))
        after = asyncio.create_task(write(lock))
        await asyncio.sleep(0)
    waiting.cancel()

    await asyncio.wait_for(asyncio.gather(after, write(lock)), 5)
    assert waiting.cancelled()
