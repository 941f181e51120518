"""Calls while too many wait are refused early, at hardly any cost."""

import asyncio
from typing import Any

from aweigh.store.transactions.group_commit import GroupCommit
from tests.support.api_caller import Caller


async def taken_and_next(caller: Caller, shop: dict[str, Any]) -> list[asyncio.Task[Any]]:
    """A call that is being taken, but for somebody else who writes, and the next one."""
    group = caller.store._admissions
    assert isinstance(group, GroupCommit)
    calls = [asyncio.create_task(caller.hook(shop))]
    async with asyncio.timeout(300):
        while not group._running:
            await asyncio.sleep(0.01)
        calls.append(asyncio.create_task(caller.hook(shop)))
        while not group._waiting:
            await asyncio.sleep(0.01)
    return calls


async def test_a_call_that_would_wait_too_long_is_refused_before_authentication(
    caller: Caller,
) -> None:
    shop = await caller.create()
    async with caller.store.write():
        calls = await taken_and_next(caller, shop)
        caller.store._admissions._seconds = 1.0
        refused = await caller.hook(shop | {"deploy_secret": "of nobody"})
        others = await caller.get("/v1/applications")
    taken = await asyncio.gather(*calls)

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json()["detail"] == "too many calls are waiting; try again"
    assert [one["slug"] for one in others["items"]] == ["shop"]
    assert {one.status_code for one in taken} == {202}
    assert (await caller.hook(shop)).status_code == 202
