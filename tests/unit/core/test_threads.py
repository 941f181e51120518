"""Blocking calls beside the event loop."""

import asyncio
import threading

import pytest

from aweigh.core.threads import in_thread


async def test_a_call_gives_its_result() -> None:
    assert await in_thread(lambda: 1 + 1) == 2


async def test_a_call_raises_its_error() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancel_waits_until_the_call_has_ended(fails: bool) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        may_end.wait(10)
        ended.set()
        if fails:
            raise RuntimeError

    task = asyncio.create_task(in_thread(call))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=0.05)
    assert not done
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
