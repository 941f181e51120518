"""Calls while too many wait are refused early, at hardly any cost."""

import asyncio
from typing import Any

from aweigh.store.transactions.group_commit import GroupCommit
from tests.support.api_door import Door


async def taken_and_next(door: Door, shop: dict[str, Any]) -> list[asyncio.Task[Any]]:
    """A call that is being taken, but for somebody else who writes, and the next one."""
    group = door.store._admissions
    assert isinstance(group, GroupCommit)
    calls = [asyncio.create_task(door.hook(shop))]
    async with asyncio.timeout(300):
        while not group._running:
            await asyncio.sleep(0.01)
        calls.append(asyncio.create_task(door.hook(shop)))
        while not group._waiting:
            await asyncio.sleep(0.01)
    return calls


async def test_a_call_that_would_wait_too_long_is_refused_before_authentication(
    door: Door,
) -> None:
    shop = await door.create()
    async with door.store.write():
        calls = await taken_and_next(door, shop)
        door.store._admissions._seconds = 1.0
        refused = await door.hook(shop | {"deploy_secret": "of nobody"})
        others = await door.get("/v1/applications")
    taken = await asyncio.gather(*calls)

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json()["detail"] == "too many calls are waiting; try again"
    assert [one["slug"] for one in others["items"]] == ["shop"]
    assert {one.status_code for one in taken} == {202}
    assert (await door.hook(shop)).status_code == 202
