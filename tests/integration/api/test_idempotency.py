"""A repeated call, a double click, many at once: one deployment for each key."""

import asyncio
from typing import Any

import httpx2
import pytest

from aweigh.deployments.deployment import Reason
from aweigh.store import lifecycle
from tests.support.api_caller import Caller
from tests.support.installation import succeed

KEY = {"Idempotency-Key": "build-7"}


async def sequences(caller: Caller) -> list[int]:
    """Those of all deployments, oldest first."""
    items = (await caller.get("/v1/deployments", params={"limit": 100}))["items"]
    return [one["sequence"] for one in items][::-1]


async def click(caller: Caller, **options: Any) -> httpx2.Response:
    return await caller.call("POST", "/v1/applications/shop/deployments", scope="deploy", **options)


async def test_fifty_at_once_with_one_key_make_one_deployment(caller: Caller) -> None:
    shop = await caller.create()

    made = await asyncio.gather(*(caller.deploy(shop, headers=KEY) for _ in range(50)))

    assert len(set(made)) == 1
    assert await sequences(caller) == [1]


async def test_fifty_at_once_without_a_key_make_fifty(caller: Caller) -> None:
    shop = await caller.create()

    made = await asyncio.gather(*(caller.deploy(shop) for _ in range(50)))

    assert len(set(made)) == 50
    assert await sequences(caller) == list(range(1, 51))


async def test_a_key_with_another_body_is_refused(caller: Caller) -> None:
    shop = await caller.create()
    await caller.deploy(shop, headers=KEY, json={"tag": "v2"})

    others: list[dict[str, Any]] = [{"json": {"tag": "v3"}}, {"params": {"tag": "v3"}}, {}]
    for options in others:
        answer = await caller.hook(shop, headers=KEY, **options)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert await sequences(caller) == [1]


async def test_what_counts_is_what_is_asked_for(caller: Caller) -> None:
    shop = await caller.create()

    made = {
        await caller.deploy(shop, headers=KEY, json={"tag": "v2"}),
        await caller.deploy(shop, headers=KEY, params={"tag": "v2"}),
        await caller.deploy(shop, headers=KEY, json={"tag": "v2", "pushed": 1}),
    }

    assert len(made) == 1


async def test_a_double_click_makes_one_deployment(caller: Caller) -> None:
    await caller.create()

    first, second = await click(caller, headers=KEY), await click(caller, headers=KEY)

    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    assert (await click(caller, headers=KEY, json={"tag": "v2"})).status_code == 422
    assert await sequences(caller) == [1]


async def test_keys_of_different_applications_and_doors_are_different_keys(caller: Caller) -> None:
    shop, blog = await caller.create(), await caller.create("blog")

    made = {
        await caller.deploy(shop, headers=KEY),
        await caller.deploy(blog, headers=KEY),
        (await click(caller, headers=KEY)).json()["id"],
    }

    assert len(made) == 3


async def ended(caller: Caller, verb: str) -> str:
    """A deployment that can be tried again, or gone back to."""
    made = await caller.deploy(await caller.create())
    if verb == "rollback":
        await succeed(caller.store, made)
    else:
        await fail(caller, made)
    return f"/v1/deployments/{made}/{verb}"


async def fail(caller: Caller, deployment_id: str) -> None:
    async with caller.store.write() as tx:
        await lifecycle.failed(tx, deployment_id, Reason.UNHEALTHY, "no")


async def ask(caller: Caller, path: str, **options: Any) -> str:
    answer = await caller.call("POST", path, scope="deploy", **options)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize("verb", ["retry", "rollback"])
async def test_a_double_click_tries_again_once(caller: Caller, verb: str) -> None:
    path = await ended(caller, verb)

    made = await asyncio.gather(*(ask(caller, path) for _ in range(5)))

    assert len(set(made)) == 1
    assert await sequences(caller) == [1, 2]


@pytest.mark.parametrize("verb", ["retry", "rollback"])
async def test_what_has_ended_or_was_overtaken_is_tried_anew(caller: Caller, verb: str) -> None:
    path = await ended(caller, verb)
    first = await ask(caller, path)
    await click(caller)
    overtaken = await ask(caller, path)
    await fail(caller, overtaken)

    last = await ask(caller, path)

    assert len({first, overtaken, last}) == 3


@pytest.mark.parametrize("verb", ["retry", "rollback"])
async def test_a_key_tries_again_once_however_that_ended(caller: Caller, verb: str) -> None:
    path = await ended(caller, verb)
    made = await ask(caller, path, headers=KEY)
    await fail(caller, made)

    assert await ask(caller, path, headers=KEY) == made
    other = f"/v1/deployments/{made}/{verb}"
    assert (await caller.call("POST", other, headers=KEY)).status_code == 422
    assert await sequences(caller) == [1, 2]


async def test_a_key_changes_and_deploys_once(caller: Caller) -> None:
    await caller.create(env={"TOKEN": "correct-horse"})
    path, change = "/v1/applications/shop", {"env": {"TOKEN": "staple"}, "deploy": True}
    first = await caller.call("PATCH", path, headers=KEY, json=change)
    await caller.call("PATCH", path, json={"replicas": 2, "env": {"TOKEN": "battery"}})

    again = await caller.call("PATCH", path, headers=KEY, json=change)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["replicas"] == 2
    assert await caller.get(f"{path}/env") == {"TOKEN": "battery"}
    other = await caller.call("PATCH", path, headers=KEY, json={"replicas": 3, "deploy": True})
    assert other.status_code == 422
    assert await sequences(caller) == [1]


@pytest.mark.parametrize("key", [b"", b"a b", b"\xe9", b"x" * 256, b"a\tb"])
async def test_what_is_no_key_is_refused(caller: Caller, key: bytes) -> None:
    shop = await caller.create()

    answer = await caller.hook(shop, headers={"Idempotency-Key": key})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "field": "Idempotency-Key",
            "message": "holds 1 to 255 printable ASCII characters, no spaces",
        }
    ]
