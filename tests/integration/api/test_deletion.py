"""`DELETE /v1/deployments/{id}`: history that is no longer wanted."""

import asyncio
from contextlib import aclosing
from typing import Any

import httpx2
import pytest

from api.log_stream import follow
from aweigh.deployments.deployment import Reason
from aweigh.store import lifecycle, logs
from tests.support.api_caller import Caller
from tests.support.installation import events_of, start, succeed


async def fail(caller: Caller, deployment_id: str) -> None:
    async with caller.store.write() as tx:
        await lifecycle.failed(tx, deployment_id, Reason.UNHEALTHY, "no", run_id="run-1")


async def delete(caller: Caller, deployment_id: str) -> httpx2.Response:
    return await caller.call("DELETE", f"/v1/deployments/{deployment_id}")


async def test_a_deleted_deployment_is_gone_from_every_answer(caller: Caller) -> None:
    shop = await caller.create()
    gone = await caller.deploy(shop)
    await fail(caller, gone)
    newer = await caller.deploy(shop)

    answer = await delete(caller, gone)

    assert (answer.status_code, answer.content) == (204, b"")
    assert [one["id"] for one in (await caller.get("/v1/deployments"))["items"]] == [newer]
    for method, path in (
        ("GET", ""), ("GET", "/steps"), ("GET", "/log"), ("POST", "/cancel"), ("POST", "/retry"),
        ("POST", "/rollback"), ("DELETE", ""),
    ):  # fmt: skip
        answer = await caller.call(method, f"/v1/deployments/{gone}{path}")
        assert answer.status_code == 404, (method, path)
    page = await caller.get("/v1/deployments", params={"before": gone})
    assert page == {"items": [], "next": None}
    assert (await events_of(caller.store, gone))[-1] == "deployment.deleted"


@pytest.mark.parametrize("begun", [False, True])
async def test_one_that_has_not_ended_is_not_cancelled_by_it(caller: Caller, begun: bool) -> None:
    made = await caller.deploy(await caller.create())
    if begun:
        await start(caller.store, made)

    answer = await delete(caller, made)

    assert answer.status_code == 409
    assert f"cancel it first: POST /v1/deployments/{made}/cancel" in answer.json()["detail"]
    state = "started" if begun else "created"
    assert (await caller.get(f"/v1/deployments/{made}"))["state"] == state
    assert "deployment.deleted" not in await events_of(caller.store, made)


async def test_what_is_live_and_the_only_way_back_stay(caller: Caller) -> None:
    shop = await caller.create()
    made = [await caller.deploy(shop, json={"tag": tag}) for tag in ("v1", "v2")]
    for one in made:
        await succeed(caller.store, one)

    refused = [await delete(caller, one) for one in made]

    assert [one.status_code for one in refused] == [409, 409]
    assert [one.json()["detail"].partition(": ")[2] for one in refused] == [
        "it is the only deployment that the application can be rolled back to", "it is live",
    ]  # fmt: skip
    back = await caller.call("POST", f"/v1/deployments/{made[0]}/rollback")
    assert back.status_code == 202


async def test_the_image_of_a_deleted_release_is_kept_no_longer(caller: Caller) -> None:
    shop = await caller.create()
    made = [await caller.deploy(shop) for _ in range(3)]
    for one in made:
        await succeed(caller.store, one)
    lease = {"identity": "i", "boot": "b", "worker_version": "1"}
    await caller.call("POST", "/v1/worker/lease", scope="server", json=lease)
    holder = {"X-Aweigh-Identity": "i", "X-Aweigh-Boot": "b"}

    async def kept() -> set[int]:
        answer = await caller.call("GET", "/v1/worker/inventory", scope="server", headers=holder)
        (known,) = answer.json()["applications"]
        return set(known["keep"])

    assert await kept() == {1, 2, 3}
    await delete(caller, made[1])

    assert await kept() == {1, 3}


@pytest.mark.parametrize("part", ["log?offset=0", "steps/pull"])
async def test_a_late_report_of_its_server_is_refused_for_good(caller: Caller, part: str) -> None:
    """With 404, upon which the server worker drops what it had to say."""
    made = await caller.deploy(await caller.create())
    await start(caller.store, made)
    await fail(caller, made)
    lease = {"identity": "i", "boot": "b", "worker_version": "1"}
    await caller.call("POST", "/v1/worker/lease", scope="server", json=lease)
    await delete(caller, made)
    body: dict[str, Any] = {"content": b"late\n"}
    if part.startswith("steps"):
        body = {"json": {"state": "succeeded", "run_id": "run-1", "attempt": 1}}

    answer = await caller.call(
        "PUT", f"/v1/worker/releases/{made}/{part}", scope="server",
        headers={"X-Aweigh-Identity": "i", "X-Aweigh-Boot": "b"}, **body,
    )  # fmt: skip

    assert answer.status_code == 404, answer.text
    assert answer.json()["type"] == "urn:aweigh:problem:not_found"


async def test_who_waits_for_it_is_told_at_once(caller: Caller) -> None:
    """Its end and its deletion may come between two looks."""
    made = await caller.deploy(await caller.create())
    waiting = asyncio.ensure_future(caller.call("GET", f"/v1/deployments/{made}?wait=900"))
    followers = caller.app.state.context.followers
    async with asyncio.timeout(300):
        while not followers.followers:
            await asyncio.sleep(0.01)
    async with caller.store.write() as tx:
        await lifecycle.failed(tx, made, Reason.UNHEALTHY, "no")

    await delete(caller, made)

    async with asyncio.timeout(300):
        assert (await waiting).status_code in (404, 424)


async def test_who_reads_its_log_comes_to_an_end(caller: Caller) -> None:
    made = await caller.deploy(await caller.create())
    async with caller.store.write() as tx:
        await logs.append(tx, made, 0, b"a line\n")
    followers = caller.app.state.context.followers
    async with aclosing(follow(followers, made, 0)) as following, asyncio.timeout(300):
        assert b"a line" in await anext(following)
        await fail(caller, made)
        await delete(caller, made)

        assert [one async for one in following if b"data" in one] == []


async def test_a_repeated_call_says_that_its_deployment_was_deleted(caller: Caller) -> None:
    shop = await caller.create()
    key = {"Idempotency-Key": "build-7"}
    made = await caller.deploy(shop, headers=key)
    await fail(caller, made)
    await delete(caller, made)

    answer = await caller.hook(shop, headers=key)

    assert answer.status_code == 409
    assert "was deleted; choose another key to deploy again" in answer.json()["detail"]
    assert (await caller.get("/v1/deployments"))["items"] == []


async def test_the_policy_of_an_application_is_patched_field_by_field(caller: Caller) -> None:
    shop = await caller.create()
    assert shop["keep_deployments"] == {"count": 200, "days": 365}

    changed = await caller.call(
        "PATCH", "/v1/applications/shop", json={"keep_deployments": {"count": 20}}
    )
    refused = await caller.call(
        "PATCH", "/v1/applications/shop", json={"keep_deployments": {"count": 0}}
    )

    assert changed.json()["keep_deployments"] == {"count": 20, "days": 365}
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "keep_deployments.count"
    back = await caller.call("PATCH", "/v1/applications/shop", json={"keep_deployments": None})
    assert back.json()["keep_deployments"] == {"count": 200, "days": 365}
