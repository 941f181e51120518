"""A subject that takes long goes on by itself, and the next one has its turn."""

import asyncio

import pytest

from aweigh.core.background_tasks import BackgroundTasks


async def test_what_takes_long_goes_on_and_is_not_begun_twice() -> None:
    tasks, may_end, begun = BackgroundTasks(seconds=0.01), asyncio.Event(), 0

    async def slow() -> None:
        nonlocal begun
        begun += 1
        await may_end.wait()

    async def quick() -> None:
        pass

    assert not await tasks.wait("slow", slow)
    assert not await tasks.wait("slow", slow)
    assert begun == 1
    assert await BackgroundTasks().wait("quick", quick)

    may_end.set()
    async with asyncio.timeout(20):
        while not await tasks.wait("slow", quick):
            await asyncio.sleep(0)


async def test_it_goes_on_when_nobody_waits_any_more() -> None:
    tasks, begun, may_end = BackgroundTasks(), asyncio.Event(), asyncio.Event()
    ended = asyncio.Event()

    async def slow() -> None:
        begun.set()
        await may_end.wait()
        ended.set()

    waiting = asyncio.create_task(tasks.wait("slow", slow))
    await begun.wait()
    waiting.cancel()
    await asyncio.wait([waiting])

    assert waiting.cancelled()
    may_end.set()
    async with asyncio.timeout(20):
        await ended.wait()


async def test_an_error_is_raised_in_time_and_kept_from_others_later() -> None:
    tasks, may_end = BackgroundTasks(seconds=0.01), asyncio.Event()

    async def bad() -> None:
        raise KeyError("x")

    async def late() -> None:
        await may_end.wait()
        raise KeyError("x")

    with pytest.raises(KeyError):
        await BackgroundTasks().wait("bad", bad)
    assert not await tasks.wait("late", late)
    may_end.set()
    async with asyncio.timeout(20):
        while "late" in tasks._tasks:
            await asyncio.sleep(0)
