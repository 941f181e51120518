"""Channels over the API: created, shown, changed, tested, removed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from dirty_equals import IsDatetime, IsStr

from aweigh.store import channels
from tests.support.api_caller import Caller, open_api
from tests.support.channels import EMAIL, deliver, dispatched, fail
from tests.support.installation import Databases, open_store

WEBHOOK = {
    "name": "ops", "kind": "webhook", "url": "https://hooks.example.com/aweigh/correct-horse-1",
    "events": ["deployment.failed", "deployment.succeeded"],
}  # fmt: skip
SECRET = "whsec_" + "c2VjcmV0" * 6


async def create(caller: Caller, **fields: Any) -> dict[str, Any]:
    answer = await caller.call("POST", "/v1/channels", json=WEBHOOK | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def refused(caller: Caller, fields: dict[str, Any]) -> list[dict[str, str]]:
    answer = await caller.call("POST", "/v1/channels", json=fields)
    assert answer.status_code == 422, answer.text
    return list(answer.json()["errors"])


async def test_a_new_channel_is_shown_with_its_secret_once(caller: Caller) -> None:
    await caller.create()
    made = await create(caller, applications=["shop"], labels={"team": "a"})

    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert made == {
        "id": IsStr(regex=r"chn_[0-9a-v]{26}"), "name": "ops", "kind": "webhook",
        "target": "hooks.example.com", "events": ["deployment.failed", "deployment.succeeded"],
        "applications": ["shop"], "labels": {"team": "a"}, "enabled": True,
        "disabled_reason": None, "last_delivery": None, "last_success_at": None,
        "created_at": IsDatetime(iso_string=True), "updated_at": IsDatetime(iso_string=True),
    }  # fmt: skip
    assert await caller.get(f"/v1/channels/{made['id']}", scope="read") == made
    listed = await caller.get("/v1/channels", scope="read")
    assert listed == {"items": [made], "next": None, "unreadable": []}
    assert await caller.get(f"/v1/channels/{made['id']}/secret") == {"secret": secret}


async def test_no_answer_shows_a_target(caller: Caller) -> None:
    made = await create(caller, secret=SECRET)
    path = f"/v1/channels/{made['id']}"
    assert made["secret"] == SECRET

    for answer in (
        await caller.call("GET", path), await caller.call("GET", "/v1/channels"),
        await caller.call("PATCH", path, json={"name": "x"}),
        await caller.call("GET", f"{path}/deliveries"),
    ):  # fmt: skip
        assert "correct-horse" not in answer.text
        assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"events": ["deployment.exploded"]}, "events.0", "Input should be"),
        ({"url": "hooks.example.com"}, "url", "is not an https:// or http:// address"),
        ({"url": "http://127.0.0.1:8700/"}, "url", "127.0.0.1:8700, which is in a private network"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "url", "is in a private network"),
        ({"kind": "apprise", "url": "gotify://127.0.0.1/token"}, "url",
         "127.0.0.1:80, which is in a private network"),
        ({"url": "http://2130706433/"}, "url", "not four decimal numbers"),
        ({"secret": "whsec_!"}, "secret", "is not 'whsec_' and base64"),
        ({"kind": "pigeon"}, "kind", "does not match any of the expected tags"),
        ({"kind": None}, "kind", "Field required"),
        ({"kind": "telegram", "url": None}, "token", "Field required"),
        ({"applications": ["blog"]}, "applications", "there is no application 'blog'"),
        ({"kind": "email", "host": "10.0.0.1", "from": "a@b.c", "to": ["a@b.c"]}, "host",
         "is in a private network"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(
    caller: Caller, fields: dict[str, Any], field: str, message: str
) -> None:
    given = {key: one for key, one in (WEBHOOK | fields).items() if one is not None}
    if given.get("kind") == "email":
        del given["url"]

    errors = await refused(caller, given)

    assert field in [one["field"] for one in errors]
    assert message in next(one["message"] for one in errors if one["field"] == field)


async def test_a_field_that_is_called_like_a_kind_is_named(caller: Caller) -> None:
    answer = await caller.call("POST", "/v1/applications", json={"name": "x", "email": {"to": "a"}})

    assert "email" in [one["field"] for one in answer.json()["errors"]]


async def test_bodies_that_are_no_channels_are_refused(caller: Caller) -> None:
    bodies: tuple[Any, ...] = (
        None,
        [],
        "x",
        1,
        {},
        {"kind": []},
        {"kind": {}},
        {"kind": "webhook"},
    )
    for body in bodies:
        answer = await caller.call("POST", "/v1/channels", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"]


async def test_an_allowed_private_address_is_taken(databases: Databases, tmp_path: Path) -> None:
    async with (
        open_store(databases.new()) as store,
        open_api(store, tmp_path, private_targets=("127.0.0.1:9000",)) as caller,
    ):
        await create(caller, url="http://127.0.0.1:9000/")
        [error] = await refused(caller, WEBHOOK | {"url": "http://127.0.0.1:9001/", "name": "x"})
    assert error["field"] == "url"


async def test_names_are_taken_once(caller: Caller) -> None:
    await create(caller)
    other = await create(caller, name="other")

    again = await caller.call("POST", "/v1/channels", json=WEBHOOK)
    renamed = await caller.call("PATCH", f"/v1/channels/{other['id']}", json={"name": "ops"})

    assert (again.status_code, renamed.status_code) == (409, 409)
    assert again.json()["detail"] == "there is a channel named 'ops' already"


async def test_a_change_keeps_what_it_does_not_name(caller: Caller) -> None:
    made = await create(caller)
    path = f"/v1/channels/{made['id']}"

    changed = await caller.call("PATCH", path, json={"events": None, "enabled": False})

    assert changed.status_code == 200
    assert (changed.json()["events"], changed.json()["enabled"]) == (None, False)
    assert changed.json()["target"] == "hooks.example.com"
    assert (await caller.get(f"{path}/secret"))["secret"] == made["secret"]
    moved = await caller.call("PATCH", path, json={"url": "https://other.example.com/x"})
    assert moved.json()["target"] == "other.example.com"
    for wrong in ({"kind": "slack"}, {"url": "http://10.0.0.1/"}, {"applications": ["blog"]}):
        answer = await caller.call("PATCH", path, json=wrong)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == next(iter(wrong))


async def test_a_removed_application_does_not_hinder_a_change(caller: Caller) -> None:
    made = await create(caller, applications=[(await caller.create())["id"]])
    async with caller.store.write() as tx:
        row = await channels.find_row(tx, made["id"], lock=True)
        known = channels.opened(tx, row).settings
        await channels.change(tx, row, known.model_copy(update={"applications": ("gone",)}))

    changed = await caller.call("PATCH", f"/v1/channels/{made['id']}", json={"enabled": False})

    assert changed.status_code == 200
    assert changed.json()["applications"] == ["gone"]


async def test_a_given_secret_replaces_the_old_one(caller: Caller) -> None:
    made = await create(caller)
    path = f"/v1/channels/{made['id']}"

    assert (await caller.call("PATCH", path, json={"secret": SECRET})).status_code == 200

    assert await caller.get(f"{path}/secret") == {"secret": SECRET}
    rotated = (await caller.call("POST", f"{path}/rotate")).json()["secret"]
    assert rotated != SECRET
    assert await caller.get(f"{path}/secret") == {"secret": rotated}


async def test_only_webhooks_have_a_secret(caller: Caller) -> None:
    answer = await caller.call("POST", "/v1/channels", json={"name": "mail", **EMAIL})
    path = f"/v1/channels/{answer.json()['id']}"

    assert answer.json()["secret"] is None
    assert (await caller.call("GET", f"{path}/secret")).status_code == 404
    assert (await caller.call("POST", f"{path}/rotate")).status_code == 409


async def test_a_deleted_channel_is_gone_with_its_deliveries(caller: Caller) -> None:
    path = f"/v1/channels/{(await create(caller))['id']}"
    assert (await caller.call("POST", f"{path}/test?wait=0")).status_code == 202

    assert (await caller.call("DELETE", path)).status_code == 204

    for method, place in (("GET", path), ("DELETE", path), ("GET", f"{path}/deliveries")):
        assert (await caller.call(method, place)).status_code == 404
    assert (await caller.get("/v1/channels"))["items"] == []


@pytest.fixture
async def delivered(caller: Caller) -> tuple[str, str]:
    """A channel's path, and a delivery that it did not accept."""
    made = await create(caller, events=None)
    shop = await caller.create()
    await caller.deploy(shop)
    await dispatched(caller.store)
    path = f"/v1/channels/{made['id']}"
    [delivery] = (await caller.get(f"{path}/deliveries"))["items"]
    await fail(caller.store, delivery["id"], again=False)
    return path, delivery["id"]


async def test_deliveries_say_what_was_answered(caller: Caller, delivered: tuple[str, str]) -> None:
    path, delivery = delivered

    [listed] = (await caller.get(f"{path}/deliveries", scope="read"))["items"]

    assert listed == {
        "id": delivery, "channel": path.rpartition("/")[2], "kind": "deployment.created",
        "event": "1", "deployment": IsStr(regex=r"dep_.*"), "message_id": IsStr(regex=r"msg_.*"),
        "state": "failed", "attempts": 1, "status": 500, "message": "500 no", "response": "no",
        "duration_ms": 34, "created_at": IsDatetime(iso_string=True),
        "last_attempt_at": IsDatetime(iso_string=True), "next_attempt_at": None,
        "ended_at": IsDatetime(iso_string=True),
    }  # fmt: skip
    assert await caller.get(f"{path}/deliveries/{delivery}") == listed
    last = (await caller.get(path))["last_delivery"]
    assert last == {
        "at": listed["last_attempt_at"], "state": "failed", "status": 500, "message": "500 no",
    }  # fmt: skip


async def test_deliveries_have_pages(caller: Caller, delivered: tuple[str, str]) -> None:
    path, first = delivered
    for _ in range(2):
        assert (await caller.call("POST", f"{path}/test?wait=0")).status_code == 202

    page = await caller.get(f"{path}/deliveries?limit=2")
    rest = await caller.get(f"{path}/deliveries?limit=2&before={page['next']}")

    assert [one["kind"] for one in page["items"]] == ["channel.test"] * 2
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([first], None)


async def test_a_redelivery_is_a_new_delivery_of_the_same_message(
    caller: Caller, delivered: tuple[str, str]
) -> None:
    path, first = delivered

    again = await caller.call("POST", f"{path}/deliveries/{first}/redeliver")

    assert again.status_code == 202
    second, known = (await caller.get(f"{path}/deliveries"))["items"]
    assert (second["id"], known["id"]) == (again.json()["id"], first)
    assert second["message_id"] == known["message_id"]
    unended = await caller.call("POST", f"{path}/deliveries/{second['id']}/redeliver")
    assert unended.status_code == 409
    missing = await caller.call("POST", f"{path}/deliveries/dlv_x/redeliver")
    assert missing.status_code == 404


async def test_a_test_answers_with_what_came_of_it(caller: Caller) -> None:
    path = f"/v1/channels/{(await create(caller))['id']}"
    testing = asyncio.create_task(caller.call("POST", f"{path}/test"))
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(300):
        while not found:
            await asyncio.sleep(0.01)
            found = (await caller.get(f"{path}/deliveries"))["items"]
    await deliver(caller.store, found[0]["id"])

    answer = await testing

    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["status"]) == ("delivered", 204)
    assert (await caller.get(path))["last_success_at"] is not None


async def test_a_channel_that_cannot_be_read_can_be_removed(caller: Caller) -> None:
    made = await create(caller)
    path = f"/v1/channels/{made['id']}"
    async with caller.store.write() as tx:
        (await channels.find_row(tx, made["id"], lock=True)).settings = "v1:00000000:lost"

    listed = await caller.get("/v1/channels")

    assert listed["items"] == []
    assert [one["name"] for one in listed["unreadable"]] == ["ops"]
    assert (await caller.call("GET", path)).status_code == 409
    assert (await caller.call("DELETE", path)).status_code == 204
