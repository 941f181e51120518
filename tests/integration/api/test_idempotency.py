"""A repeated call, a double click, many at once: one deployment for each key."""

import asyncio
from typing import Any

import httpx2
import pytest

from aweigh.deployments.deployment import Reason
from aweigh.store import lifecycle
from tests.support.api_door import Door
from tests.support.installation import succeed

KEY = {"Idempotency-Key": "build-7"}


async def sequences(door: Door) -> list[int]:
    """Those of all deployments, oldest first."""
    items = (await door.get("/v1/deployments", params={"limit": 100}))["items"]
    return [one["sequence"] for one in items][::-1]


async def click(door: Door, **options: Any) -> httpx2.Response:
    return await door.call("POST", "/v1/applications/shop/deployments", scope="deploy", **options)


async def test_fifty_at_once_with_one_key_make_one_deployment(door: Door) -> None:
    shop = await door.create()

    made = await asyncio.gather(*(door.deploy(shop, headers=KEY) for _ in range(50)))

    assert len(set(made)) == 1
    assert await sequences(door) == [1]


async def test_fifty_at_once_without_a_key_make_fifty(door: Door) -> None:
    shop = await door.create()

    made = await asyncio.gather(*(door.deploy(shop) for _ in range(50)))

    assert len(set(made)) == 50
    assert await sequences(door) == list(range(1, 51))


async def test_a_key_with_another_body_is_refused(door: Door) -> None:
    shop = await door.create()
    await door.deploy(shop, headers=KEY, json={"tag": "v2"})

    others: list[dict[str, Any]] = [{"json": {"tag": "v3"}}, {"params": {"tag": "v3"}}, {}]
    for options in others:
        answer = await door.hook(shop, headers=KEY, **options)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert await sequences(door) == [1]


async def test_what_counts_is_what_is_asked_for(door: Door) -> None:
    shop = await door.create()

    made = {
        await door.deploy(shop, headers=KEY, json={"tag": "v2"}),
        await door.deploy(shop, headers=KEY, params={"tag": "v2"}),
        await door.deploy(shop, headers=KEY, json={"tag": "v2", "pushed": 1}),
    }

    assert len(made) == 1


async def test_a_double_click_makes_one_deployment(door: Door) -> None:
    await door.create()

    first, second = await click(door, headers=KEY), await click(door, headers=KEY)

    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    assert (await click(door, headers=KEY, json={"tag": "v2"})).status_code == 422
    assert await sequences(door) == [1]


async def test_keys_of_different_applications_and_doors_are_different_keys(door: Door) -> None:
    shop, blog = await door.create(), await door.create("blog")

    made = {
        await door.deploy(shop, headers=KEY),
        await door.deploy(blog, headers=KEY),
        (await click(door, headers=KEY)).json()["id"],
    }

    assert len(made) == 3


async def ended(door: Door, verb: str) -> str:
    """A deployment that can be tried again, or gone back to."""
    made = await door.deploy(await door.create())
    if verb == "rollback":
        await succeed(door.store, made)
    else:
        await fail(door, made)
    return f"/v1/deployments/{made}/{verb}"


async def fail(door: Door, deployment_id: str) -> None:
    async with door.store.write() as tx:
        await lifecycle.failed(tx, deployment_id, Reason.UNHEALTHY, "no")


async def ask(door: Door, path: str, **options: Any) -> str:
    answer = await door.call("POST", path, scope="deploy", **options)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize("verb", ["retry", "rollback"])
async def test_a_double_click_tries_again_once(door: Door, verb: str) -> None:
    path = await ended(door, verb)

    made = await asyncio.gather(*(ask(door, path) for _ in range(5)))

    assert len(set(made)) == 1
    assert await sequences(door) == [1, 2]


@pytest.mark.parametrize("verb", ["retry", "rollback"])
async def test_what_has_ended_or_was_overtaken_is_tried_anew(door: Door, verb: str) -> None:
    path = await ended(door, verb)
    first = await ask(door, path)
    await click(door)
    overtaken = await ask(door, path)
    await fail(door, overtaken)

    last = await ask(door, path)

    assert len({first, overtaken, last}) == 3


@pytest.mark.parametrize("verb", ["retry", "rollback"])
async def test_a_key_tries_again_once_however_that_ended(door: Door, verb: str) -> None:
    path = await ended(door, verb)
    made = await ask(door, path, headers=KEY)
    await fail(door, made)

    assert await ask(door, path, headers=KEY) == made
    other = f"/v1/deployments/{made}/{verb}"
    assert (await door.call("POST", other, headers=KEY)).status_code == 422
    assert await sequences(door) == [1, 2]


async def test_a_key_changes_and_deploys_once(door: Door) -> None:
    await door.create(env={"TOKEN": "correct-horse"})
    path, change = "/v1/applications/shop", {"env": {"TOKEN": "staple"}, "deploy": True}
    first = await door.call("PATCH", path, headers=KEY, json=change)
    await door.call("PATCH", path, json={"replicas": 2, "env": {"TOKEN": "battery"}})

    again = await door.call("PATCH", path, headers=KEY, json=change)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["replicas"] == 2
    assert await door.get(f"{path}/env") == {"TOKEN": "battery"}
    other = await door.call("PATCH", path, headers=KEY, json={"replicas": 3, "deploy": True})
    assert other.status_code == 422
    assert await sequences(door) == [1]


@pytest.mark.parametrize("key", [b"", b"a b", b"\xe9", b"x" * 256, b"a\tb"])
async def test_what_is_no_key_is_refused(door: Door, key: bytes) -> None:
    shop = await door.create()

    answer = await door.hook(shop, headers={"Idempotency-Key": key})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "field": "Idempotency-Key",
            "message": "holds 1 to 255 printable ASCII characters, no spaces",
        }
    ]
