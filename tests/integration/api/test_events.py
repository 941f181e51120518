"""Events: listed, filtered, described, and told as they happen."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import jsonschema_rs
import pytest

from api.event_stream import EventStream
from api.followers import Followers
from aweigh.deployments.deployment import EventKind, Reason
from aweigh.store import applications, lifecycle
from aweigh.store.events import Filter
from tests.support.api_caller import Caller
from tests.support.events import events
from tests.support.installation import start, succeed

GIT = {
    "type": "git", "repository": "https://github.com/acme/shop",
    "credentials": {"type": "token", "token": "ghp_geheim"},
}  # fmt: skip
COMMIT = "c" * 40


@pytest.fixture
async def shop(caller: Caller) -> dict[str, Any]:
    domains = [{"host": "shop.example.com", "path": "/api"}, {"host": "other.example.com"}]
    return await caller.create(domains=domains, labels={"team": "a"}, port=80)


def stream_of(caller: Caller, wanted: Filter = Filter()) -> EventStream:  # noqa: B008 (it is frozen)
    context = caller.app.state.context
    return EventStream(followers=context.followers, settings=context.settings, wanted=wanted)


async def test_an_event_holds_the_deployment_and_its_links(
    caller: Caller, shop: dict[str, Any]
) -> None:
    made = await caller.deploy(shop)
    shown = await caller.get(f"/v1/deployments/{made}")

    [event] = (await caller.get("/v1/events"))["items"]

    assert (event["type"], event["timestamp"]) == ("deployment.created", shown["created_at"])
    data = event["data"]
    workflow = data["workflow"]["url"]
    assert data.pop("application") == {
        "id": shop["id"], "name": "shop", "slug": "shop", "labels": {"team": "a"},
    }  # fmt: skip
    assert data.pop("links") == {
        "self": f"http://127.0.0.1:8700/v1/deployments/{made}",
        "log": f"http://127.0.0.1:8700/v1/deployments/{made}/log",
        "workflow": workflow,
        "application": "https://shop.example.com/api",
        "commit": None,
    }
    assert data == {name: shown[name] for name in shown if name not in ("application", "links")}


async def test_a_commit_at_github_is_linked(caller: Caller) -> None:
    body = {"name": "shop", "source": GIT}
    made = (await caller.call("POST", "/v1/applications", json=body)).json()
    await caller.call("POST", f"/v1/applications/{made['id']}/deployments", json={"commit": COMMIT})

    answer = await caller.call("GET", "/v1/events")

    [event] = answer.json()["items"]
    assert event["data"]["links"]["commit"] == f"https://github.com/acme/shop/commit/{COMMIT}"
    assert event["data"]["links"]["application"] is None
    assert "ghp_geheim" not in answer.text


async def test_events_fit_their_documented_schema(caller: Caller, shop: dict[str, Any]) -> None:
    await succeed(caller.store, await caller.deploy(shop))
    document = (await caller.client.get("/openapi.json")).json()
    assert set(document["webhooks"]) == set(EventKind)

    for event in (await caller.get("/v1/events"))["items"]:
        event.pop("id")
        described = document["webhooks"][event["type"]]["post"]["requestBody"]
        schema = described["content"]["application/json"]["schema"]
        complete = schema | {"components": document["components"]}
        jsonschema_rs.validate(complete, event)
        with pytest.raises(jsonschema_rs.ValidationError):
            jsonschema_rs.validate(complete, event | {"type": "deployment.exploded"})


async def test_events_are_listed_by_pages_and_filters(caller: Caller, shop: dict[str, Any]) -> None:
    blog = await caller.create("blog")
    for one in (shop, blog, shop):
        await succeed(caller.store, await caller.deploy(one))

    async def listed(**params: Any) -> dict[str, Any]:
        return dict(await caller.get("/v1/events", params=params))

    first = await listed(limit=4)
    second = await listed(limit=4, before=first["next"])
    ids = [int(one["id"]) for one in first["items"] + second["items"]]
    assert ids == sorted(ids, reverse=True)
    assert (len(ids), second["next"]) == (6, None)
    of_blog = (await listed(application="blog"))["items"]
    assert [one["type"] for one in of_blog] == ["deployment.succeeded", "deployment.created"]
    assert {one["data"]["application"]["slug"] for one in of_blog} == {"blog"}
    created = await listed(application=shop["id"], kind="deployment.created")
    assert [one["type"] for one in created["items"]] == ["deployment.created"] * 2
    both = await listed(kind=["deployment.created", "deployment.succeeded"])
    assert len(both["items"]) == 6


@pytest.mark.parametrize("name", ["id", "slug"])
async def test_events_of_a_removed_application_are_listed(
    caller: Caller, shop: dict[str, Any], name: str
) -> None:
    await caller.deploy(shop)
    async with caller.app.state.context.store.write() as tx:
        (await applications.find_row(tx, shop["id"])).removed_at = tx.now

    found = await caller.get("/v1/events", params={"application": shop[name]})

    assert [one["type"] for one in found["items"]] == ["deployment.created"]


@pytest.mark.parametrize(
    ("params", "headers", "status"),
    [
        ({"kind": "deployment.exploded"}, {}, 422),
        ({"before": "dep_1"}, {}, 422),
        ({"before": "9" * 19}, {}, 422),
        ({"limit": 0}, {}, 422),
        ({"application": "nothing"}, {}, 404),
        ({}, {"Last-Event-ID": "x"}, 422),
        ({}, {"Last-Event-ID": "-1"}, 422),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_what_cannot_be_asked_is_said(
    caller: Caller, params: dict[str, str], headers: dict[str, str], status: int, accept: str
) -> None:
    answer = await caller.call(
        "GET", "/v1/events", params=params, headers={"Accept": accept} | headers
    )

    assert answer.status_code == status


async def test_events_are_told_as_they_happen(caller: Caller, shop: dict[str, Any]) -> None:
    made = await caller.deploy(shop)

    async with aclosing(stream_of(caller).follow(0)) as following:
        [created] = events((await anext(following)).decode())
        await start(caller.store, made)
        [started] = events((await anext(following)).decode())

    assert (created["event"], started["event"]) == ("deployment.created", "deployment.started")
    assert int(started["id"]) > int(created["id"])
    payload = json.loads(started["data"])
    [listed, _] = (await caller.get("/v1/events"))["items"]
    assert listed == payload | {"id": started["id"]}


async def test_a_filtered_stream_tells_only_what_is_asked_for(
    caller: Caller, shop: dict[str, Any]
) -> None:
    blog = await caller.create("blog")
    wanted = Filter(shop["id"], frozenset({EventKind.FAILED}))

    async with aclosing(stream_of(caller, wanted).follow(0)) as following:
        for one in (blog, shop):
            made = await caller.deploy(one)
            async with caller.store.write() as tx:
                await lifecycle.failed(tx, made, Reason.CANCELLED, "data: x\n\nevent: forged")
        told = events((await anext(following)).decode())

    assert [one["event"] for one in told] == ["deployment.failed"]
    data = json.loads(told[0]["data"])["data"]
    assert data["application"]["slug"] == "shop"
    assert data["message"] == "data: x\n\nevent: forged"


async def test_a_reader_that_stops_reading_holds_one_batch_and_misses_nothing(
    caller: Caller, shop: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.event_stream._AT_ONCE", 3)
    stream = stream_of(caller)
    async with aclosing(stream.follow(0)) as slow, aclosing(stream.follow(0)) as quick:
        first = await caller.deploy(shop)
        told: dict[str, list[dict[str, str]]] = {"quick": []}
        told["slow"] = events((await anext(slow)).decode())
        for tag in range(10):
            await caller.deploy(shop, json={"tag": f"v{tag}"})
        for name, reader in (("quick", quick), ("slow", slow)):
            while len(told[name]) < 11:
                batch = events((await anext(reader)).decode())
                assert len(batch) <= 3
                told[name] += batch

    assert told["slow"] == told["quick"]
    assert json.loads(told["slow"][0]["data"])["data"]["id"] == first
    assert len({one["id"] for one in told["slow"]}) == 11


async def test_a_stream_goes_on_after_its_last_event(
    caller: Caller, shop: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    positions: list[int] = []

    async def follow(_: EventStream, position: int) -> AsyncGenerator[bytes, None]:
        positions.append(position)
        yield b""

    monkeypatch.setattr(EventStream, "follow", follow)
    await succeed(caller.store, await caller.deploy(shop))
    [newest, first] = [int(one["id"]) for one in (await caller.get("/v1/events"))["items"]]
    restored = newest + 100  # a reader saw more, before the database was restored

    for asked in ("", "0", str(first), str(restored)):
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": asked} if asked else {})
        answer = await caller.call("GET", "/v1/events", headers=headers)
        assert answer.headers["content-type"].startswith("text/event-stream")

    assert positions == [newest, 0, first, newest]


async def test_a_stream_ends_with_the_process(caller: Caller, shop: dict[str, Any]) -> None:
    followers: Followers = caller.app.state.context.followers
    await caller.deploy(shop)
    async with aclosing(stream_of(caller).follow(0)) as following:
        await anext(following)
        waiting = asyncio.ensure_future(anext(following))
        followers.close()

        with pytest.raises(StopAsyncIteration):
            await waiting


async def test_a_quiet_stream_is_kept_alive(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.event_stream.KEEPALIVE_SECONDS", 0.01)

    async with aclosing(stream_of(caller).follow(0)) as following:
        assert (await anext(following)).startswith(b":")


async def test_events_need_a_token_unlike_a_hook(caller: Caller) -> None:
    for path in ("/v1/events", "/v1/events?application=shop"):
        answer = await caller.client.get(path, headers={"X-Deploy-Secret": "awds_x"})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
