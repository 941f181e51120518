"""The deploy hook: what CI calls."""

import asyncio
from typing import Any

import pytest
from dirty_equals import IsDatetime, IsStr

from aweigh.deployments.deployment import Reason
from aweigh.store import applications, lifecycle
from tests.support.api_caller import Caller
from tests.support.installation import IMAGE, succeed


async def test_a_call_is_answered_with_its_deployment(caller: Caller) -> None:
    shop = await caller.create()

    answer = await caller.hook(shop, json={"tag": "v2"})

    assert answer.status_code == 202
    made = answer.json()
    assert answer.headers["location"] == f"/v1/deployments/{made['id']}"
    assert made == {
        "id": IsStr(regex=r"dep_[0-9a-v]{26}"), "application": {"id": shop["id"], "name": "shop"},
        "server": "local", "sequence": 1, "state": "created", "reason": None, "message": None,
        "trigger": "hook", "actor": "hook", "reference": "v2", "commit": None,
        "commit_subject": None,
        "image": {"reference": f"{IMAGE}:v2", "id": None, "digest": None}, "attempts": 0,
        "created_at": IsDatetime(iso_string=True), "started_at": None, "finished_at": None,
        "retry_of": None, "superseded_by": None, "steps": [],
        "workflow": {"id": f"deployment/shop/1-{made['id'][-6:]}", "run_id": None,
                     "url": IsStr(regex=f".*/workflows/deployment%2Fshop%2F1-{made['id'][-6:]}")},
        "links": {"self": f"/v1/deployments/{made['id']}",
                  "log": f"/v1/deployments/{made['id']}/log"},
    }  # fmt: skip
    assert await caller.get(f"/v1/deployments/{made['id']}") == made


@pytest.mark.parametrize(
    ("options", "reference"),
    [
        ({}, None),
        ({"content": b""}, None),
        ({"content": b"  \n"}, None),
        ({"json": {}}, None),
        ({"json": {"tag": None}}, None),
        ({"json": {"repository": "acme/shop", "pushed": 1}}, None),
        ({"json": {"tag": "v2"}}, "v2"),
        ({"params": {"tag": "v2"}}, "v2"),
        ({"json": {"tag": "v2"}, "params": {"tag": "v2"}}, "v2"),
        ({"json": {"tag": f"sha256:{'a' * 64}"}}, f"sha256:{'a' * 64}"),
        ({"json": {"tag": f"v2@sha256:{'a' * 64}"}}, f"v2@sha256:{'a' * 64}"),
        ({"params": {"tag": f"v2@sha256:{'a' * 64}"}}, f"v2@sha256:{'a' * 64}"),
    ],
    ids=range(12),
)
async def test_a_tag_stands_in_the_body_or_the_query(
    caller: Caller, options: dict[str, Any], reference: str | None
) -> None:
    answer = await caller.hook(await caller.create(), **options)

    assert (answer.status_code, answer.json()["reference"]) == (202, reference)


@pytest.mark.parametrize(
    ("options", "field", "message"),
    [
        ({"content": b"{"}, "body", "is not JSON"),
        ({"content": b"tag=v2"}, "body", "is not JSON"),
        ({"content": b'{"tag": "\xff"}'}, "body", "is not JSON"),
        ({"content": b"[" * 100_000}, "body", "is not JSON"),
        ({"content": b"[]"}, "body", "is not a JSON object"),
        ({"content": b"null"}, "body", "is not a JSON object"),
        ({"json": {"tag": 2}}, "tag", "is not a string"),
        ({"json": {"tag": ""}}, "tag", "is not an image tag or digest"),
        ({"params": {"tag": ""}}, "tag", "is not an image tag or digest"),
        ({"json": {"tag": "v 2"}}, "tag", "is not an image tag or digest"),
        ({"json": {"tag": "v2\0"}}, "tag", "is not an image tag or digest"),
        ({"content": b'{"tag": "\\ud800"}'}, "tag", "is not an image tag or digest"),
        ({"json": {"tag": "v2"}, "params": {"tag": "v3"}}, "tag", "differs between body and query"),
        ({"json": {"tag": "v2"}, "params": {"tag": ""}}, "tag", "differs between body and query"),
        ({"params": {"wait": "901"}}, "query.wait", IsStr(regex="Input should be less.*")),
        ({"params": {"wait": "soon"}}, "query.wait", IsStr(regex="Input should be a valid int.*")),
    ],
    ids=range(16),
)
async def test_what_is_wrong_with_a_call_is_named_and_deploys_nothing(
    caller: Caller, options: dict[str, Any], field: str, message: str
) -> None:
    answer = await caller.hook(await caller.create(), **options)

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": field, "message": message}]
    assert (await caller.get("/v1/deployments"))["items"] == []


@pytest.mark.parametrize(
    "body",
    [{"tga": "v2"}, {"Tag": "v2"}, {"tags": "v2"}, {"image_tag": "v2"}, {"version": "v2"},
     {"ref": "refs/tags/v2"}, {"tga": "v2", "by": "ci", "n": 1},
     {"tag_name": "v2"}, {"docker_tag": "v2"}, {"dockerTag": "v2"}, {"IMAGE_TAG": "v2"},
     {"app_version": "v2"}, {"git-ref": "v2"}, {"commit_sha": "v2"}, {"commitSHA": "v2"},
     {"digest": "v2"}],
    ids=str,
)  # fmt: skip
async def test_another_word_for_a_tag_deploys_nothing(caller: Caller, body: dict[str, Any]) -> None:
    answer = await caller.hook(await caller.create(), json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": next(iter(body)), "message": "is unknown; give the tag as `tag`"}
    ]
    assert (await caller.get("/v1/deployments"))["items"] == []


@pytest.mark.parametrize(
    ("body", "params", "ignored"),
    [
        ({"tag": "v2"}, {}, None),
        ({"tag": "v2", "tga": "v3"}, {}, ["tga"]),
        ({"version": "v3", "by": "ci"}, {"tag": "v2"}, ["version", "by"]),
        ({"by": "ci"}, {}, ["by"]),
        ({"push_data": {"tag": "v3"}, "ref": "main"}, {}, ["push_data", "ref"]),
    ],
    ids=range(5),
)
async def test_what_is_not_looked_at_is_told(
    caller: Caller, body: dict[str, Any], params: dict[str, str], ignored: list[str] | None
) -> None:
    answer = await caller.hook(await caller.create(), json=body, params=params)

    assert answer.status_code == 202
    assert answer.json().get("ignored") == ignored
    assert answer.headers["location"] == f"/v1/deployments/{answer.json()['id']}"


async def test_strangers_keep_nobody_waiting(caller: Caller) -> None:
    shop = await caller.create()

    async with asyncio.timeout(300), caller.store.write():  # while others write
        for refused in (
            await caller.hook(shop, secret="wrong"),
            await caller.hook(shop | {"deploy_hook": f"hook_{'x' * 43}"}),
        ):
            assert refused.status_code == 404


async def test_a_stranger_learns_nothing(caller: Caller) -> None:
    shop = await caller.create()
    unknown = shop | {"deploy_hook": f"hook_{'x' * 43}"}
    blog = await caller.create("blog")

    answers = [
        await caller.hook(shop, secret="wrong"),
        await caller.hook(shop, secret=""),
        await caller.hook(shop, secret=blog["deploy_secret"]),
        await caller.hook(unknown),
        await caller.hook(shop | {"deploy_hook": "nonsense"}),
        await caller.hook(shop, secret="wrong", content=b"{"),
        await caller.hook(unknown, content=b"{"),
        await caller.hook(shop, secret="wrong", headers={"Idempotency-Key": "not a key"}),
        await caller.hook(unknown, headers={"Idempotency-Key": "not a key"}),
        await caller.client.post(f"/v1/events/{shop['deploy_hook']}"),
    ]

    first = answers[0]
    assert first.status_code == 404
    assert first.json()["type"] == "urn:aweigh:problem:not_found"
    for answer in answers:
        assert (answer.status_code, answer.content) == (404, first.content)
        assert answer.headers == first.headers


async def test_an_old_secret_stops_working_at_once(caller: Caller) -> None:
    shop = await caller.create()

    rotated = (await caller.call("POST", "/v1/applications/shop/settings/rotate")).json()

    assert (await caller.hook(shop)).status_code == 404
    assert (
        await caller.hook(shop | {"deploy_secret": rotated["deploy_secret"]})
    ).status_code == 404
    assert (await caller.hook(rotated)).status_code == 202


async def test_who_was_here_before_learns_nothing_with_a_secret_that_is_old(caller: Caller) -> None:
    shop = await caller.create()
    await caller.hook(shop)
    await caller.hook(shop)
    async with caller.store.write() as tx:
        row = (await applications.find(tx, shop["id"], lock=True)).row
        hook = row.hook
        applications.rotate_secret(tx, row)
        row.hook = hook  # as if secrets were rotated alone
    unknown = await caller.hook(shop, secret="wrong")

    calls: list[dict[str, Any]] = [{"content": b"{"}, {}, {"content": b"{"}]
    refused = [await caller.hook(shop, **call) for call in calls]

    assert [(one.status_code, one.content) for one in refused] == [(404, unknown.content)] * 3
    assert (await caller.get("/v1/deployments"))["items"][0]["sequence"] == 2


async def test_what_is_wrong_is_told_to_whoever_was_here_before(caller: Caller) -> None:
    shop = await caller.create()
    await caller.hook(shop)

    assert [(await caller.hook(shop, content=b"{")).status_code for _ in range(3)] == [422] * 3


async def test_a_call_waits_for_nobody_while_temporal_is_away(caller: Caller) -> None:
    answer = await caller.hook(await caller.create())

    assert (answer.status_code, answer.json()["state"]) == (202, "created")
    assert (await caller.get("/readyz")) == {"status": "ok", "temporal": False}


@pytest.mark.parametrize("ended", [False, True])
async def test_a_wait_ends_with_the_deployment(caller: Caller, ended: bool) -> None:
    shop = await caller.create()
    key = {"Idempotency-Key": "1"}
    made = await caller.deploy(shop, headers=key)
    if ended:
        await succeed(caller.store, made)

    answer = await caller.hook(shop, headers=key, params={"wait": 60 if ended else 0})

    assert answer.status_code == (200 if ended else 202)
    assert answer.json()["id"] == made


async def test_a_wait_for_one_that_failed_carries_the_deployment(caller: Caller) -> None:
    shop = await caller.create()
    key = {"Idempotency-Key": "1"}
    made = await caller.deploy(shop, headers=key)
    async with caller.store.write() as tx:
        await lifecycle.failed(tx, made, Reason.UNHEALTHY, "It did not answer.", run_id="run-1")

    for answer in (
        await caller.hook(shop, headers=key, params={"wait": 60}),
        await caller.call("GET", f"/v1/deployments/{made}", params={"wait": 60}),
    ):
        assert answer.status_code == 424
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json() == {
            "type": "urn:aweigh:problem:deployment_failed", "title": "Failed Dependency",
            "status": 424, "detail": "unhealthy: It did not answer.",
            "deployment": await caller.get(f"/v1/deployments/{made}"),
        }  # fmt: skip


async def test_a_wait_that_ran_out_answers_as_it_is(caller: Caller) -> None:
    answer = await caller.hook(await caller.create(), params={"wait": 1})

    assert (answer.status_code, answer.json()["state"]) == (202, "created")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"params": {"tga": "v1"}}, "query.tga"),
        ({"params": [("tag", "v1"), ("tag", "v2")]}, "query.tag"),
    ],
)
async def test_a_misspelt_or_repeated_parameter_is_refused(
    caller: Caller, asked: dict[str, Any], field: str
) -> None:
    """It would deploy what is live, and CI would take that for its own."""
    answer = await caller.hook(await caller.create(), **asked)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
