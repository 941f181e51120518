"""Cancels, retries, rollbacks and removals, through the API."""

import asyncio
from typing import Any

import httpx2
import pytest
from dirty_equals import IsPartialDict

from aweigh.deployments.deployment import Reason
from aweigh.store import lifecycle, outbox, removals
from tests.support.api_caller import Caller
from tests.support.installation import start, succeed

SHOP = "/v1/applications/shop"


async def post(caller: Caller, path: str, **options: Any) -> httpx2.Response:
    return await caller.call("POST", path, scope="deploy", **options)


async def fail(caller: Caller, deployment_id: str) -> None:
    async with caller.store.write() as tx:
        await lifecycle.failed(tx, deployment_id, Reason.UNHEALTHY, "no", run_id="run-1")


async def due(caller: Caller) -> list[tuple[str, str]]:
    """What the relay has to hand over."""
    async with caller.store.read() as tx:
        return [(row.kind, row.subject) for row in await outbox.due(tx)]


@pytest.mark.parametrize("state", ["created", "started"])
async def test_a_cancel_is_accepted_while_temporal_is_away(caller: Caller, state: str) -> None:
    made = await caller.deploy(await caller.create())
    if state == "started":
        await start(caller.store, made)

    answer = await post(caller, f"/v1/deployments/{made}/cancel")

    assert (answer.status_code, answer.json()["state"]) == (202, state)
    assert (outbox.CANCEL, made) in await due(caller)


@pytest.mark.parametrize(("succeeds", "status"), [(False, 200), (True, 424)])
async def test_a_cancel_that_is_waited_for_says_whether_it_came_in_time(
    caller: Caller, succeeds: bool, status: int
) -> None:
    made = await caller.deploy(await caller.create())
    await start(caller.store, made)

    answer, _ = await asyncio.gather(
        post(caller, f"/v1/deployments/{made}/cancel?wait=300"),
        end_once_cancelled(caller, made, succeeds),
    )

    assert answer.status_code == status
    shown = answer.json()["deployment"] if succeeds else answer.json()
    assert shown["state"] == ("succeeded" if succeeds else "failed")


async def end_once_cancelled(caller: Caller, deployment_id: str, succeeds: bool) -> None:
    async with asyncio.timeout(300):
        while (outbox.CANCEL, deployment_id) not in await due(caller):
            await asyncio.sleep(0.01)
    await (succeed(caller.store, deployment_id) if succeeds else fail(caller, deployment_id))


@pytest.mark.parametrize("end", [succeed, None])
async def test_what_has_ended_cannot_be_cancelled(caller: Caller, end: Any) -> None:
    made = await caller.deploy(await caller.create())
    await (succeed(caller.store, made) if end else fail(caller, made))

    answer = await post(caller, f"/v1/deployments/{made}/cancel")

    assert answer.status_code == 409
    assert "has ended already" in answer.json()["detail"]
    assert await due(caller) == []


async def test_a_retry_is_a_new_deployment_of_the_same_release(caller: Caller) -> None:
    made = await caller.deploy(await caller.create(), json={"tag": "v2"})
    await fail(caller, made)
    await caller.call("PATCH", SHOP, json={"replicas": 3})

    answer = await post(caller, f"/v1/deployments/{made}/retry")

    assert answer.status_code == 202
    again = answer.json()
    assert again == IsPartialDict(
        sequence=2, state="created", trigger="retry", actor="ci", reference="v2", retry_of=made
    )
    assert again["id"] != made
    assert (await caller.get(f"/v1/deployments/{made}"))["state"] == "failed"


async def test_a_rollback_is_a_new_deployment_of_an_older_release(caller: Caller) -> None:
    shop = await caller.create()
    first = await caller.deploy(shop, json={"tag": "v2"})
    await succeed(caller.store, first)
    await succeed(caller.store, await caller.deploy(shop, json={"tag": "v3"}))

    answer = await post(caller, f"/v1/deployments/{first}/rollback")

    assert answer.status_code == 202
    assert answer.json() == IsPartialDict(
        sequence=3, state="created", trigger="rollback", reference="v2", retry_of=first
    )


@pytest.mark.parametrize("verb", ["retry", "rollback"])
async def test_a_capability_that_was_withdrawn_is_not_brought_back(
    caller: Caller, verb: str
) -> None:
    """Settings are `admin`'s; to deploy again needs no more than `deploy`."""
    made = await caller.deploy(await caller.create(capabilities=["NET_RAW"]))
    await (fail(caller, made) if verb == "retry" else succeed(caller.store, made))
    await caller.call("PATCH", SHOP, json={"capabilities": None})

    answer = await post(caller, f"/v1/deployments/{made}/{verb}")

    assert answer.status_code == 409, answer.text
    assert "the release needs NET_RAW, which shop no longer has" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("state", "verb", "detail"),
    [
        ("created", "retry", "is created; a retry requires failed"),
        ("succeeded", "retry", "is succeeded; a retry requires failed"),
        ("created", "rollback", "is created; a rollback requires succeeded"),
        ("failed", "rollback", "is failed; a rollback requires succeeded"),
    ],
)
async def test_what_cannot_be_tried_again_says_why(
    caller: Caller, state: str, verb: str, detail: str
) -> None:
    made = await caller.deploy(await caller.create())
    if state != "created":
        await (succeed(caller.store, made) if state == "succeeded" else fail(caller, made))

    answer = await post(caller, f"/v1/deployments/{made}/{verb}")

    assert (answer.status_code, answer.json()["detail"]) == (409, f"{made} {detail}")


async def test_success_shows_on_the_application(caller: Caller) -> None:
    shop = await caller.create()
    made = await caller.deploy(shop, json={"tag": "v2"})
    await start(caller.store, made)
    await succeed(caller.store, made)

    shown = await caller.get(SHOP)

    reference = "registry.example.com/acme/shop:v2"
    assert shown["live"] == {
        "deployment": made,
        "image": {"reference": reference, "id": None, "digest": None},
        "since": (await caller.get(f"/v1/deployments/{made}"))["finished_at"],
    }
    assert shown["source"]["tag"] == "v2"


async def test_a_removal_is_accepted_and_nothing_is_deployed_after_it(caller: Caller) -> None:
    shop = await caller.create()
    failed = await caller.deploy(shop)
    await fail(caller, failed)

    answer = await caller.call("DELETE", SHOP, params={"volumes": True})

    assert (answer.status_code, answer.json()["removing"]) == (202, True)
    assert await due(caller) == [(outbox.REMOVE, shop["id"])]
    for refused in (
        await caller.hook(shop),
        await post(caller, f"{SHOP}/deployments"),
        await post(caller, f"/v1/deployments/{failed}/retry"),
        await caller.call("PATCH", SHOP, json={"replicas": 2}),
        await caller.call("PATCH", SHOP, json={"deploy": True}),
        await caller.call("PUT", f"{SHOP}/env", json={}),
    ):
        assert refused.status_code == 409
        assert "shop cannot be" in refused.json()["detail"]
        assert "is being removed" in refused.json()["detail"]


async def test_a_removal_that_failed_can_be_asked_for_again(caller: Caller) -> None:
    shop = await caller.create()
    await caller.call("DELETE", SHOP)
    async with caller.store.write() as tx:
        await removals.failed(tx, shop["id"], "The server is offline.")
    assert (await caller.get(SHOP))["removal_message"] == "The server is offline."

    answer = await caller.call("DELETE", SHOP)

    assert (answer.status_code, answer.json()["removal_message"]) == (202, None)
    assert await due(caller) == [(outbox.REMOVE, shop["id"])]


async def test_a_removed_application_is_gone_and_its_history_stays(caller: Caller) -> None:
    shop = await caller.create()
    made = await caller.deploy(shop)
    await succeed(caller.store, made)
    await caller.call("DELETE", SHOP)
    async with caller.store.write() as tx:
        await removals.succeeded(tx, shop["id"])

    assert (await caller.call("GET", SHOP)).status_code == 404
    assert (await caller.hook(shop)).status_code == 404
    assert (await caller.get("/v1/applications"))["items"] == []
    assert (await caller.get(f"/v1/deployments/{made}"))["state"] == "succeeded"


async def test_deployments_are_listed_newest_first_in_pages(caller: Caller) -> None:
    shop, blog = await caller.create(), await caller.create("blog")
    made = [await caller.deploy(one) for one in (shop, blog, shop)]

    first = await caller.get("/v1/deployments", params={"limit": 2})
    second = await caller.get("/v1/deployments", params={"limit": 2, "before": first["next"]})
    of_shop = await caller.get("/v1/deployments", params={"application": "shop"})
    await succeed(caller.store, made[0])
    ended = await caller.get("/v1/deployments", params={"state": "succeeded"})

    assert [one["id"] for one in first["items"] + second["items"]] == made[::-1]
    assert second["next"] is None
    assert [one["id"] for one in of_shop["items"]] == [made[2], made[0]]
    assert [one["id"] for one in ended["items"]] == [made[0]]


@pytest.mark.parametrize(
    ("params", "status"),
    [({"state": "odd"}, 422), ({"application": "nobody"}, 404), ({"before": "x"}, 422)],
)
async def test_a_list_that_cannot_be_told_says_why(
    caller: Caller, params: dict[str, str], status: int
) -> None:
    assert (await caller.call("GET", "/v1/deployments", params=params)).status_code == status
