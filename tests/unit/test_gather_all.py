"""Several things at once, none of which is left behind."""

import asyncio

import pytest

from aweigh.core.tasks import gather_all


async def test_the_others_end_before_the_first_error_is_raised() -> None:
    ended: list[str] = []

    async def slow() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        ended.append("slow")

    async def fails() -> None:
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        await gather_all([fails(), slow()])

    assert ended == ["slow"]


async def test_what_they_return_comes_in_their_order() -> None:
    async def after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert await gather_all(map(after, (3, 1, 2))) == [3, 1, 2]
