"""GitHub's deliveries: signed, ordered, taken once."""

import asyncio
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.support.api_caller import Caller
from tests.support.github import delivery, push

REPOSITORY = "https://github.com/acme/shop.git"
ONE, TWO, THREE = ("1" * 40, "2" * 40, "3" * 40)
WEBHOOKS = "/v1/github/webhooks"


async def follow(caller: Caller, name: str = "shop", **source: Any) -> dict[str, Any]:
    body = {"name": name, "source": {"type": "git", "repository": REPOSITORY, **source}}
    answer = await caller.call("POST", "/v1/applications", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def deliver(
    caller: Caller, secret: str, payload: dict[str, Any], **how: Any
) -> httpx2.Response:
    return await caller.client.post(WEBHOOKS, **delivery(payload, secret, **how))


async def deployments(caller: Caller) -> list[dict[str, Any]]:
    return list((await caller.get("/v1/deployments"))["items"])


async def test_a_push_makes_a_deployment_of_its_commit(caller: Caller) -> None:
    app = await follow(caller)

    pushed = push(REPOSITORY, after=ONE, message="Fix the basket\n\nIt was empty.")
    answer = await deliver(caller, app["webhook_secret"], pushed)

    [made] = await deployments(caller)
    assert (answer.status_code, answer.json()) == (
        202,
        {"deployments": [made["id"]], "ignored": []},
    )
    assert (made["commit"], made["trigger"], made["actor"]) == (ONE, "push", "octocat")
    assert made["commit_subject"] == "Fix the basket"


@pytest.mark.parametrize("written", [
    "https://github.com/Acme/Shop", "git@github.com:acme/shop.git", "ssh://git@github.com/acme/shop",
    "https://github.com:443/acme/shop", "ssh://git@ssh.github.com:443/acme/shop.git",
    "https://www.github.com/acme/shop", "git@github.com:/acme/shop.git",
])  # fmt: skip
async def test_a_repository_is_known_however_it_is_written(caller: Caller, written: str) -> None:
    app = await follow(caller, repository=written)

    answer = await deliver(caller, app["webhook_secret"], push(REPOSITORY, after=ONE))

    assert len(answer.json()["deployments"]) == 1


@pytest.mark.parametrize("wrong", ["secret", "missing", "shape", "repository", "address", "body"])
async def test_what_cannot_be_verified_is_unauthorized_and_nothing_is_stored(
    caller: Caller, wrong: str
) -> None:
    app = await follow(caller)
    payload = push(REPOSITORY, after=ONE)
    if wrong == "repository":
        payload = push("https://github.com/acme/unknown.git", after=ONE)
    if wrong == "address":
        payload = push("https://host:port/a", after=ONE)
    request = delivery(payload, "other" if wrong == "secret" else app["webhook_secret"])
    if wrong == "missing":
        del request["headers"]["X-Hub-Signature-256"]
    if wrong == "shape":
        request["headers"]["X-Hub-Signature-256"] = "sha256=\xe9".encode("latin-1")
    if wrong == "body":
        request["content"] = b"{" + request["content"]

    answer = await caller.client.post(WEBHOOKS, **request)

    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("The delivery is not signed")
    assert await deployments(caller) == []


async def test_a_ping_is_answered(caller: Caller) -> None:
    app = await follow(caller)
    payload = {"zen": "Keep it simple.", "hook_id": 1, "repository": {"clone_url": REPOSITORY}}

    answer = await deliver(caller, app["webhook_secret"], payload, event="ping")

    assert (answer.status_code, answer.json()) == (200, {"applications": ["shop"]})


@pytest.mark.parametrize(
    ("source", "payload", "why"),
    [
        ({}, {"ref": "refs/heads/other"}, "the application follows main"),
        ({}, {"ref": "refs/tags/v1"}, "none of the application's `tags` matches v1"),
        ({"tags": ["v*"]}, {"ref": "refs/tags/v1", "deleted": True}, "the tag was deleted"),
        ({"tags": ["v*"]}, {"ref": "refs/tags/nightly"},
         "none of the application's `tags` matches nightly"),
        ({"tags": ["v*"]}, {"ref": f"refs/tags/v{'1' * 250}"},
         f"v{'1' * 250} is longer than 250 characters"),
        ({}, {"ref": "refs/notes/commits"}, "refs/notes/commits is neither a branch nor a tag"),
        ({}, {"deleted": True}, "the branch was deleted"),
        ({"auto_deploy": False}, {}, "auto_deploy is off"),
        ({}, {"message": "docs [skip ci]"}, "the commit's message asks for it"),
        ({}, {"message": "docs [CI skip]"}, "the commit's message asks for it"),
        ({}, {"message": "docs\n\nskip-checks: true"}, "the commit's message asks for it"),
        ({"paths": ["web"]}, {"modified": ["api/x.py", "website/y"]},
         "it changes nothing below the application's paths"),
    ],
)  # fmt: skip
async def test_a_push_that_concerns_nobody_says_why(
    caller: Caller, source: dict[str, Any], payload: dict[str, Any], why: str
) -> None:
    app = await follow(caller, **source)

    answer = await deliver(caller, app["webhook_secret"], push(REPOSITORY, after=ONE, **payload))

    ignored = [{"application": "shop", "reason": why}]
    assert (answer.status_code, answer.json()) == (202, {"deployments": [], "ignored": ignored})
    assert await deployments(caller) == []


async def test_the_push_of_a_tag_deploys_the_commit_it_stands_for(caller: Caller) -> None:
    """An annotated one: `after` is the tag's own id. The branch is not followed here."""
    app = await follow(caller, tags=["v*"], auto_deploy=False, paths=["web"])
    payload = push(REPOSITORY, after=ONE, ref="refs/tags/v1.2")
    payload["head_commit"]["id"] = TWO
    payload["commits"] = []

    answer = await deliver(caller, app["webhook_secret"], payload)

    [made] = await deployments(caller)
    assert answer.json() == {"deployments": [made["id"]], "ignored": []}
    assert (made["commit"], made["trigger"]) == (TWO, "tag")
    assert made["image"]["reference"].endswith("#v1.2")


async def test_a_tag_on_the_head_that_was_pushed_with_it_is_deployed_once(caller: Caller) -> None:
    app = await follow(caller, tags=["v*"])
    tag = push(REPOSITORY, after=ONE, ref="refs/tags/v1")

    await deliver(caller, app["webhook_secret"], push(REPOSITORY, after=ONE))
    again = await deliver(caller, app["webhook_secret"], tag)

    assert again.json()["ignored"][0]["reason"] == "this commit is deployed already"
    assert len(await deployments(caller)) == 1


@pytest.mark.parametrize(
    ("paths", "change"),
    [
        (["web"], {"modified": ["web/x.py"]}),
        (["*.py"], {"modified": ["api/x.py"]}),
        (["web"], {"modified": ["api/x.py"], "forced": True}),
        (["web"], {"commits": []}),
    ],
)
async def test_a_push_that_touches_the_paths_or_may_have_is_taken(
    caller: Caller, paths: list[str], change: dict[str, Any]
) -> None:
    app = await follow(caller, paths=paths)

    answer = await deliver(caller, app["webhook_secret"], push(REPOSITORY, after=ONE, **change))

    assert len(answer.json()["deployments"]) == 1


async def test_a_hundred_deliveries_of_one_push_are_one_deployment(caller: Caller) -> None:
    app = await follow(caller)
    payload = push(REPOSITORY, after=ONE)

    async def delivered() -> httpx2.Response:
        while True:  # on a busy machine some are asked to come again later
            answer = await deliver(caller, app["webhook_secret"], payload, id="one")
            if answer.status_code != 503:
                return answer

    answers = await asyncio.gather(*(delivered() for _ in range(100)))

    [made] = await deployments(caller)
    assert {answer.status_code for answer in answers} == {202}
    assert {tuple(answer.json()["deployments"]) for answer in answers} == {(made["id"],)}


async def test_an_older_push_that_comes_later_makes_none(caller: Caller) -> None:
    app = await follow(caller)
    newer = push(REPOSITORY, before=ONE, after=TWO, repository_fields={"pushed_at": 1_790_000_005})
    older = push(REPOSITORY, after=ONE, repository_fields={"pushed_at": 1_790_000_001})

    await deliver(caller, app["webhook_secret"], newer)
    answer = await deliver(caller, app["webhook_secret"], older)

    assert answer.json()["ignored"][0]["reason"] == "a newer push was taken already"
    assert [one["commit"] for one in await deployments(caller)] == [TWO]


async def test_of_two_pushes_in_one_second_the_chain_tells_which_is_newer(caller: Caller) -> None:
    app = await follow(caller)
    first, second = push(REPOSITORY, after=ONE), push(REPOSITORY, before=ONE, after=TWO)

    for payload in (second, first):
        await deliver(caller, app["webhook_secret"], payload)

    assert [one["commit"] for one in await deployments(caller)] == [TWO]


async def test_a_force_push_back_within_a_second_is_the_newer_one(caller: Caller) -> None:
    app = await follow(caller)
    there = push(REPOSITORY, before=ONE, after=TWO)
    back = push(REPOSITORY, before=TWO, after=ONE, forced=True)

    for payload in (there, back):
        await deliver(caller, app["webhook_secret"], payload)

    assert {one["commit"] for one in await deployments(caller)} == {ONE, TWO}


async def test_only_the_application_whose_secret_signed_it_deploys(caller: Caller) -> None:
    mine, theirs = await follow(caller, "mine"), await follow(caller, "theirs")

    await deliver(caller, mine["webhook_secret"], push(REPOSITORY, after=ONE))

    [made] = await deployments(caller)
    assert made["application"]["id"] == mine["id"]
    assert mine["webhook_secret"] != theirs["webhook_secret"]


@pytest.mark.parametrize(("form", "status"), [("payload={}", 202), ("{}", 401), ("&" * 99, 401)])
async def test_a_delivery_may_come_as_a_form_which_is_githubs_default(
    caller: Caller, form: str, status: int
) -> None:
    app = await follow(caller)
    text = quote(json.dumps(push(REPOSITORY, after=ONE, message="1 + 1 = 100 %\n&\u00e9 \n")))
    body = form.replace("{}", text).encode()
    request = delivery({}, app["webhook_secret"]) | {"content": body}
    signature = hmac.new(app["webhook_secret"].encode(), body, hashlib.sha256).hexdigest()
    request["headers"] |= {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Hub-Signature-256": f"sha256={signature}",
    }

    answer = await caller.client.post(WEBHOOKS, **request)

    assert answer.status_code == status
    assert [one["commit"] for one in await deployments(caller)] == [ONE] * (status == 202)


async def test_an_old_secret_stops_working(caller: Caller) -> None:
    app = await follow(caller)
    await caller.call("POST", f"/v1/applications/{app['id']}/settings/rotate")

    answer = await deliver(caller, app["webhook_secret"], push(REPOSITORY, after=ONE))

    assert answer.status_code == 401


async def test_a_payload_that_is_too_large_is_not_read(caller: Caller) -> None:
    app = await follow(caller)
    payload = push(REPOSITORY, after=ONE) | {"padding": "x" * 26 * 1024 * 1024}

    answer = await deliver(caller, app["webhook_secret"], payload)

    assert answer.status_code == 413


async def test_a_large_payload_is_taken(caller: Caller) -> None:
    app = await follow(caller)
    payload = push(REPOSITORY, after=ONE) | {"padding": "x" * 5 * 1024 * 1024}

    answer = await deliver(caller, app["webhook_secret"], payload)

    assert answer.status_code == 202
