"""Cancels, retries, rollbacks and removals: asked for at the door."""

import asyncio
from typing import Any

import httpx2
import pytest
from dirty_equals import IsPartialDict

from aweigh.deployments.deployment import Reason
from aweigh.store import lifecycle, outbox, removals
from tests.support.api_door import Door
from tests.support.installation import start, succeed

SHOP = "/v1/applications/shop"


async def post(door: Door, path: str, **options: Any) -> httpx2.Response:
    return await door.call("POST", path, scope="deploy", **options)


async def fail(door: Door, deployment_id: str) -> None:
    async with door.store.write() as tx:
        await lifecycle.failed(tx, deployment_id, Reason.UNHEALTHY, "no", run_id="run-1")


async def due(door: Door) -> list[tuple[str, str]]:
    """What the relay has to hand over."""
    async with door.store.read() as tx:
        return [(row.kind, row.subject) for row in await outbox.due(tx)]


@pytest.mark.parametrize("state", ["created", "started"])
async def test_a_cancel_is_accepted_while_temporal_is_away(door: Door, state: str) -> None:
    made = await door.deploy(await door.create())
    if state == "started":
        await start(door.store, made)

    answer = await post(door, f"/v1/deployments/{made}/cancel")

    assert (answer.status_code, answer.json()["state"]) == (202, state)
    assert (outbox.CANCEL, made) in await due(door)


@pytest.mark.parametrize(("succeeds", "status"), [(False, 200), (True, 424)])
async def test_a_cancel_that_is_waited_for_says_whether_it_came_in_time(
    door: Door, succeeds: bool, status: int
) -> None:
    made = await door.deploy(await door.create())
    await start(door.store, made)

    answer, _ = await asyncio.gather(
        post(door, f"/v1/deployments/{made}/cancel?wait=300"),
        end_once_cancelled(door, made, succeeds),
    )

    assert answer.status_code == status
    shown = answer.json()["deployment"] if succeeds else answer.json()
    assert shown["state"] == ("succeeded" if succeeds else "failed")


async def end_once_cancelled(door: Door, deployment_id: str, succeeds: bool) -> None:
    async with asyncio.timeout(300):
        while (outbox.CANCEL, deployment_id) not in await due(door):
            await asyncio.sleep(0.01)
    await (succeed(door.store, deployment_id) if succeeds else fail(door, deployment_id))


@pytest.mark.parametrize("end", [succeed, None])
async def test_what_has_ended_cannot_be_cancelled(door: Door, end: Any) -> None:
    made = await door.deploy(await door.create())
    await (succeed(door.store, made) if end else fail(door, made))

    answer = await post(door, f"/v1/deployments/{made}/cancel")

    assert answer.status_code == 409
    assert "has ended already" in answer.json()["detail"]
    assert await due(door) == []


async def test_a_retry_is_a_new_deployment_of_the_same_release(door: Door) -> None:
    made = await door.deploy(await door.create(), json={"tag": "v2"})
    await fail(door, made)
    await door.call("PATCH", SHOP, json={"replicas": 3})

    answer = await post(door, f"/v1/deployments/{made}/retry")

    assert answer.status_code == 202
    again = answer.json()
    assert again == IsPartialDict(
        sequence=2, state="created", trigger="retry", actor="ci", reference="v2", retry_of=made
    )
    assert again["id"] != made
    assert (await door.get(f"/v1/deployments/{made}"))["state"] == "failed"


async def test_a_rollback_is_a_new_deployment_of_an_older_release(door: Door) -> None:
    shop = await door.create()
    first = await door.deploy(shop, json={"tag": "v2"})
    await succeed(door.store, first)
    await succeed(door.store, await door.deploy(shop, json={"tag": "v3"}))

    answer = await post(door, f"/v1/deployments/{first}/rollback")

    assert answer.status_code == 202
    assert answer.json() == IsPartialDict(
        sequence=3, state="created", trigger="rollback", reference="v2", retry_of=first
    )


@pytest.mark.parametrize("verb", ["retry", "rollback"])
async def test_a_capability_that_was_withdrawn_is_not_brought_back(door: Door, verb: str) -> None:
    """Settings are `admin`'s; to deploy again needs no more than `deploy`."""
    made = await door.deploy(await door.create(capabilities=["NET_RAW"]))
    await (fail(door, made) if verb == "retry" else succeed(door.store, made))
    await door.call("PATCH", SHOP, json={"capabilities": None})

    answer = await post(door, f"/v1/deployments/{made}/{verb}")

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
    door: Door, state: str, verb: str, detail: str
) -> None:
    made = await door.deploy(await door.create())
    if state != "created":
        await (succeed(door.store, made) if state == "succeeded" else fail(door, made))

    answer = await post(door, f"/v1/deployments/{made}/{verb}")

    assert (answer.status_code, answer.json()["detail"]) == (409, f"{made} {detail}")


async def test_success_shows_on_the_application(door: Door) -> None:
    shop = await door.create()
    made = await door.deploy(shop, json={"tag": "v2"})
    await start(door.store, made)
    await succeed(door.store, made)

    shown = await door.get(SHOP)

    reference = "registry.example.com/acme/shop:v2"
    assert shown["live"] == {
        "deployment": made,
        "image": {"reference": reference, "id": None, "digest": None},
        "since": (await door.get(f"/v1/deployments/{made}"))["finished_at"],
    }
    assert shown["source"]["tag"] == "v2"


async def test_a_removal_is_accepted_and_nothing_is_deployed_after_it(door: Door) -> None:
    shop = await door.create()
    failed = await door.deploy(shop)
    await fail(door, failed)

    answer = await door.call("DELETE", SHOP, params={"volumes": True})

    assert (answer.status_code, answer.json()["removing"]) == (202, True)
    assert await due(door) == [(outbox.REMOVE, shop["id"])]
    for refused in (
        await door.hook(shop),
        await post(door, f"{SHOP}/deployments"),
        await post(door, f"/v1/deployments/{failed}/retry"),
        await door.call("PATCH", SHOP, json={"replicas": 2}),
        await door.call("PATCH", SHOP, json={"deploy": True}),
        await door.call("PUT", f"{SHOP}/env", json={}),
    ):
        assert refused.status_code == 409
        assert "shop cannot be" in refused.json()["detail"]
        assert "is being removed" in refused.json()["detail"]


async def test_a_removal_that_failed_can_be_asked_for_again(door: Door) -> None:
    shop = await door.create()
    await door.call("DELETE", SHOP)
    async with door.store.write() as tx:
        await removals.failed(tx, shop["id"], "The server is offline.")
    assert (await door.get(SHOP))["removal_message"] == "The server is offline."

    answer = await door.call("DELETE", SHOP)

    assert (answer.status_code, answer.json()["removal_message"]) == (202, None)
    assert await due(door) == [(outbox.REMOVE, shop["id"])]


async def test_a_removed_application_is_gone_and_its_history_stays(door: Door) -> None:
    shop = await door.create()
    made = await door.deploy(shop)
    await succeed(door.store, made)
    await door.call("DELETE", SHOP)
    async with door.store.write() as tx:
        await removals.succeeded(tx, shop["id"])

    assert (await door.call("GET", SHOP)).status_code == 404
    assert (await door.hook(shop)).status_code == 404
    assert (await door.get("/v1/applications"))["items"] == []
    assert (await door.get(f"/v1/deployments/{made}"))["state"] == "succeeded"


async def test_deployments_are_listed_newest_first_in_pages(door: Door) -> None:
    shop, blog = await door.create(), await door.create("blog")
    made = [await door.deploy(one) for one in (shop, blog, shop)]

    first = await door.get("/v1/deployments", params={"limit": 2})
    second = await door.get("/v1/deployments", params={"limit": 2, "before": first["next"]})
    of_shop = await door.get("/v1/deployments", params={"application": "shop"})
    await succeed(door.store, made[0])
    ended = await door.get("/v1/deployments", params={"state": "succeeded"})

    assert [one["id"] for one in first["items"] + second["items"]] == made[::-1]
    assert second["next"] is None
    assert [one["id"] for one in of_shop["items"]] == [made[2], made[0]]
    assert [one["id"] for one in ended["items"]] == [made[0]]


@pytest.mark.parametrize(
    ("params", "status"),
    [({"state": "odd"}, 422), ({"application": "nobody"}, 404), ({"before": "x"}, 422)],
)
async def test_a_list_that_cannot_be_told_says_why(
    door: Door, params: dict[str, str], status: int
) -> None:
    assert (await door.call("GET", "/v1/deployments", params=params)).status_code == status
