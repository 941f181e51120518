"""Locks: held in the process for its tasks, and by the kernel against another process."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aweigh.servers.locks import Locks

_HOLD = """
import asyncio, sys
from pathlib import Path
from aweigh.servers.locks import Locks

async def hold() -> None:
    async with Locks(Path(sys.argv[1])).holding(sys.argv[2]):
        print("holding", flush=True)
        sys.stdin.read()

asyncio.run(hold())
"""


@pytest.fixture
def locks(tmp_path: Path) -> Locks:
    return Locks(tmp_path)


@asynccontextmanager
async def held_elsewhere(directory: Path, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process holds the lock until its standard input ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HOLD, str(directory), name,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"holding\n"
        yield process
    finally:
        process.stdin.close()
        await process.wait()


async def is_waiting(task: "asyncio.Task[None]") -> bool:
    done, _ = await asyncio.wait([task], timeout=0.1)
    return not done


async def take(locks: Locks, name: str) -> None:
    async with locks.holding(name):
        pass


async def test_one_task_at_a_time_holds_a_lock(locks: Locks) -> None:
    inside = most = 0

    async def work() -> None:
        nonlocal inside, most
        async with locks.holding("app_1"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(20)))

    assert most == 1


async def test_locks_of_different_names_are_different_locks(locks: Locks) -> None:
    async with locks.holding("app_1"), locks.holding("app_2"), locks.holding("server"):
        pass


async def test_a_lock_is_free_after_an_error(locks: Locks) -> None:
    async def fail() -> None:
        async with locks.holding("app_1"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    await take(locks, "app_1")


async def test_a_task_that_is_cancelled_while_it_waits_leaves_the_lock(locks: Locks) -> None:
    async with locks.holding("app_1"):
        waiting = asyncio.create_task(take(locks, "app_1"))
        assert await is_waiting(waiting)
        waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    await take(locks, "app_1")


async def test_two_that_serve_the_same_data_exclude_each_other(
    locks: Locks, tmp_path: Path
) -> None:
    async with locks.holding("app_1"):
        waiting = asyncio.create_task(take(Locks(tmp_path), "app_1"))
        assert await is_waiting(waiting)

    await waiting


async def test_another_process_keeps_the_lock_until_it_lets_go(
    locks: Locks, tmp_path: Path
) -> None:
    async with held_elsewhere(tmp_path, "app_1"):
        waiting = asyncio.create_task(take(locks, "app_1"))
        assert await is_waiting(waiting)
        await take(locks, "app_2")

    await waiting


async def test_a_process_that_is_killed_lets_go(locks: Locks, tmp_path: Path) -> None:
    async with held_elsewhere(tmp_path, "app_1") as process:
        waiting = asyncio.create_task(take(locks, "app_1"))
        assert await is_waiting(waiting)
        process.kill()

        await waiting


async def test_a_wait_for_another_process_that_is_cancelled_leaves_the_lock(
    locks: Locks, tmp_path: Path
) -> None:
    async with held_elsewhere(tmp_path, "app_1"):
        waiting = asyncio.create_task(take(locks, "app_1"))
        assert await is_waiting(waiting)
        waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    await take(locks, "app_1")


async def test_whoever_is_impatient_goes_without_it(locks: Locks) -> None:
    async with locks.holding("app_1"):
        with pytest.raises(TimeoutError):
            async with locks.holding("app_1", patience=0.01):
                pass

    async with locks.holding("app_1", patience=0.01):
        pass
