"""`DELETE /v1/deployments/{id}`: history that is no longer wanted."""

import asyncio
from contextlib import aclosing
from typing import Any

import httpx2
import pytest

from api.log_stream import follow
from aweigh.deployments.deployment import Reason
from aweigh.store import lifecycle, logs
from tests.support.api_door import Door
from tests.support.installation import events_of, start, succeed


async def fail(door: Door, deployment_id: str) -> None:
    async with door.store.write() as tx:
        await lifecycle.failed(tx, deployment_id, Reason.UNHEALTHY, "no", run_id="run-1")


async def delete(door: Door, deployment_id: str) -> httpx2.Response:
    return await door.call("DELETE", f"/v1/deployments/{deployment_id}")


async def test_a_deleted_deployment_is_gone_from_every_answer(door: Door) -> None:
    shop = await door.create()
    gone = await door.deploy(shop)
    await fail(door, gone)
    newer = await door.deploy(shop)

    answer = await delete(door, gone)

    assert (answer.status_code, answer.content) == (204, b"")
    assert [one["id"] for one in (await door.get("/v1/deployments"))["items"]] == [newer]
    for method, path in (
        ("GET", ""), ("GET", "/steps"), ("GET", "/log"), ("POST", "/cancel"), ("POST", "/retry"),
        ("POST", "/rollback"), ("DELETE", ""),
    ):  # fmt: skip
        answer = await door.call(method, f"/v1/deployments/{gone}{path}")
        assert answer.status_code == 404, (method, path)
    page = await door.get("/v1/deployments", params={"before": gone})
    assert page == {"items": [], "next": None}
    assert (await events_of(door.store, gone))[-1] == "deployment.deleted"


@pytest.mark.parametrize("begun", [False, True])
async def test_one_that_has_not_ended_is_not_cancelled_by_it(door: Door, begun: bool) -> None:
    made = await door.deploy(await door.create())
    if begun:
        await start(door.store, made)

    answer = await delete(door, made)

    assert answer.status_code == 409
    assert f"cancel it first: POST /v1/deployments/{made}/cancel" in answer.json()["detail"]
    state = "started" if begun else "created"
    assert (await door.get(f"/v1/deployments/{made}"))["state"] == state
    assert "deployment.deleted" not in await events_of(door.store, made)


async def test_what_is_live_and_the_only_way_back_stay(door: Door) -> None:
    shop = await door.create()
    made = [await door.deploy(shop, json={"tag": tag}) for tag in ("v1", "v2")]
    for one in made:
        await succeed(door.store, one)

    refused = [await delete(door, one) for one in made]

    assert [one.status_code for one in refused] == [409, 409]
    assert [one.json()["detail"].partition(": ")[2] for one in refused] == [
        "it is the only deployment that the application can be rolled back to", "it is live",
    ]  # fmt: skip
    back = await door.call("POST", f"/v1/deployments/{made[0]}/rollback")
    assert back.status_code == 202


async def test_the_image_of_a_deleted_release_is_kept_no_longer(door: Door) -> None:
    shop = await door.create()
    made = [await door.deploy(shop) for _ in range(3)]
    for one in made:
        await succeed(door.store, one)
    lease = {"identity": "i", "boot": "b", "worker_version": "1"}
    await door.call("POST", "/v1/worker/lease", scope="server", json=lease)
    holder = {"X-Aweigh-Identity": "i", "X-Aweigh-Boot": "b"}

    async def kept() -> set[int]:
        answer = await door.call("GET", "/v1/worker/inventory", scope="server", headers=holder)
        (known,) = answer.json()["applications"]
        return set(known["keep"])

    assert await kept() == {1, 2, 3}
    await delete(door, made[1])

    assert await kept() == {1, 3}


@pytest.mark.parametrize("part", ["log?offset=0", "steps/pull"])
async def test_a_late_report_of_its_server_is_refused_for_good(door: Door, part: str) -> None:
    """With 404, upon which the server worker drops what it had to say."""
    made = await door.deploy(await door.create())
    await start(door.store, made)
    await fail(door, made)
    lease = {"identity": "i", "boot": "b", "worker_version": "1"}
    await door.call("POST", "/v1/worker/lease", scope="server", json=lease)
    await delete(door, made)
    body: dict[str, Any] = {"content": b"late\n"}
    if part.startswith("steps"):
        body = {"json": {"state": "succeeded", "run_id": "run-1", "attempt": 1}}

    answer = await door.call(
        "PUT", f"/v1/worker/releases/{made}/{part}", scope="server",
        headers={"X-Aweigh-Identity": "i", "X-Aweigh-Boot": "b"}, **body,
    )  # fmt: skip

    assert answer.status_code == 404, answer.text
    assert answer.json()["type"] == "urn:aweigh:problem:not_found"


async def test_who_waits_for_it_is_told_at_once(door: Door) -> None:
    """Its end and its deletion may come between two looks."""
    made = await door.deploy(await door.create())
    waiting = asyncio.ensure_future(door.call("GET", f"/v1/deployments/{made}?wait=900"))
    followers = door.app.state.context.followers
    async with asyncio.timeout(300):
        while not followers.followers:
            await asyncio.sleep(0.01)
    async with door.store.write() as tx:
        await lifecycle.failed(tx, made, Reason.UNHEALTHY, "no")

    await delete(door, made)

    async with asyncio.timeout(300):
        assert (await waiting).status_code in (404, 424)


async def test_who_reads_its_log_comes_to_an_end(door: Door) -> None:
    made = await door.deploy(await door.create())
    async with door.store.write() as tx:
        await logs.append(tx, made, 0, b"a line\n")
    followers = door.app.state.context.followers
    async with aclosing(follow(followers, made, 0)) as following, asyncio.timeout(300):
        assert b"a line" in await anext(following)
        await fail(door, made)
        await delete(door, made)

        assert [one async for one in following if b"data" in one] == []


async def test_a_repeated_call_says_that_its_deployment_was_deleted(door: Door) -> None:
    shop = await door.create()
    key = {"Idempotency-Key": "build-7"}
    made = await door.deploy(shop, headers=key)
    await fail(door, made)
    await delete(door, made)

    answer = await door.hook(shop, headers=key)

    assert answer.status_code == 409
    assert "was deleted; choose another key to deploy again" in answer.json()["detail"]
    assert (await door.get("/v1/deployments"))["items"] == []


async def test_the_policy_of_an_application_is_patched_field_by_field(door: Door) -> None:
    shop = await door.create()
    assert shop["keep_deployments"] == {"count": 200, "days": 365}

    changed = await door.call(
        "PATCH", "/v1/applications/shop", json={"keep_deployments": {"count": 20}}
    )
    refused = await door.call(
        "PATCH", "/v1/applications/shop", json={"keep_deployments": {"count": 0}}
    )

    assert changed.json()["keep_deployments"] == {"count": 20, "days": 365}
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "keep_deployments.count"
    back = await door.call("PATCH", "/v1/applications/shop", json={"keep_deployments": None})
    assert back.json()["keep_deployments"] == {"count": 200, "days": 365}
