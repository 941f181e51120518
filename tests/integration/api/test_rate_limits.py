"""Failing callers are limited, and others are not."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.api_caller import Caller
from tests.support.github import push

WEBHOOKS = "/v1/github/webhooks"
SIGNATURE = f"sha256={'0' * 64}"
REPOSITORY = "https://github.com/acme/shop.git"


async def raw(
    caller: Caller, path: str, headers: Mapping[str, str], receive: Any, method: str = "POST"
) -> int:
    """The status that a request is answered with, whatever becomes of its body."""
    statuses: list[int] = []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "client": ("192.0.2.1", 1), "server": ("aweigh", 80),
        "headers": [(key.lower().encode(), value.encode()) for key, value in headers.items()],
    }  # fmt: skip

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await caller.app(scope, receive, send)
    return statuses[0]


async def never() -> Any:
    raise AssertionError("the body was asked for")


@pytest.mark.parametrize("signature", ["", "sha256=", f"sha256={'0' * 63}", f"sha1={'0' * 40}"])
async def test_a_delivery_without_a_signature_is_not_even_read(
    caller: Caller, signature: str
) -> None:
    headers = {"X-Hub-Signature-256": signature, "Content-Length": str(24 * 1024**2)}

    assert await raw(caller, WEBHOOKS, headers, never) == 401


@pytest.mark.parametrize("body", [
    b"[" + b"1," * (12 * 1024**2) + b"1]",
    b'{"a":"' + b"x" * (23 * 1024**2) + b'","repository":{"clone_url":"' + REPOSITORY.encode()
    + b'"}}',
    b'"repository":{' * (24 * 1024**2 // 14),
], ids=["values", "one string", "names"])  # fmt: skip
async def test_others_are_served_while_a_large_delivery_is_refused(
    caller: Caller, body: bytes
) -> None:
    for number in range(3):
        source = {"type": "git", "repository": REPOSITORY}
        await caller.call("POST", "/v1/applications", json={"name": f"a{number}", "source": source})
    flood = asyncio.gather(*(
        caller.client.post(WEBHOOKS, content=body, headers={"X-Hub-Signature-256": SIGNATURE})
        for _ in range(4)
    ))  # fmt: skip

    turns = 0
    while not flood.done():
        await asyncio.sleep(0)
        turns += 1

    assert {one.status_code for one in await flood} == {401}
    assert turns > 500, "the event loop had hardly a turn meanwhile"


async def test_a_signed_delivery_that_would_hold_everybody_up_is_refused(caller: Caller) -> None:
    source = {"type": "git", "repository": REPOSITORY}
    made = await caller.call("POST", "/v1/applications", json={"name": "shop", "source": source})
    payload = json.dumps(push(REPOSITORY, after="1" * 40))[:-1] + ',"x":['
    body = payload.encode() + b"1," * 1_100_000 + b"1]}"
    secret = made.json()["webhook_secret"].encode()
    signature = hmac.new(secret, body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Event": "push"}

    answer = await caller.client.post(WEBHOOKS, content=body, headers=headers)

    assert (answer.status_code, answer.json()["errors"]) == (
        422, [{"field": "body", "message": "holds more than 1000000 values"}],
    )  # fmt: skip


@pytest.mark.parametrize("path", [WEBHOOKS, "/v1/events/hook_x", "/v1/applications"])
async def test_a_caller_who_goes_away_is_no_error(caller: Caller, path: str) -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    headers = {
        "X-Hub-Signature-256": SIGNATURE, "Content-Length": "9", "Content-Type": "application/json",
        "Authorization": f"Bearer {caller.tokens['admin']}",
    }  # fmt: skip

    assert await raw(caller, path, headers, gone) < 500


async def test_the_body_of_whoever_shows_no_token_is_not_read(caller: Caller) -> None:
    for path in ("/v1/applications", "/v1/worker/lease", "/v1/tokens"):
        for credentials in ({}, {"Authorization": "Basic eDp5"}):
            headers = {"Content-Length": "1000000", **credentials}
            assert await raw(caller, path, headers, never) == 401


@pytest.mark.parametrize("token", ["junk", "awg_" + "x" * 43], ids=["no token", "nobody's"])
@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/v1/applications"), ("PATCH", "/v1/applications/shop"),
    ("POST", "/v1/tokens"), ("PUT", "/v1/worker/findings"), ("POST", "/v1/worker/lease"),
    ("PUT", "/v1/worker/releases/dep_x/steps/pull"), ("PUT", "/v1/worker/releases/dep_x/log"),
])  # fmt: skip
async def test_the_body_of_whoever_shows_a_token_of_nobody_is_not_read(
    caller: Caller, method: str, path: str, token: str
) -> None:
    headers = {
        "Content-Length": "1000000", "Content-Type": "application/json",
        "Authorization": f"Bearer {token}",
    }  # fmt: skip

    assert await raw(caller, path, headers, never, method) == 401


async def test_the_body_of_whoever_shows_what_was_taken_back_is_not_read(caller: Caller) -> None:
    headers = {"Content-Length": "1000000", "Content-Type": "application/json"}
    token = {"Authorization": f"Bearer {caller.tokens['deploy']}"}
    shop = await caller.create()
    await caller.call("GET", "/v1/deployments", scope="deploy")
    await caller.hook(shop)
    await caller.call("DELETE", "/v1/tokens/ci")
    await caller.call("POST", f"/v1/applications/{shop['id']}/settings/rotate")

    assert await raw(caller, "/v1/applications", headers | token, never) == 401
    secret = {"X-Deploy-Secret": shop["deploy_secret"]}
    assert await raw(caller, f"/v1/events/{shop['deploy_hook']}", headers | secret, never) == 404


async def test_the_body_of_whoever_does_not_know_the_hook_is_not_read(caller: Caller) -> None:
    assert await raw(caller, "/v1/events/hook_x", {"Content-Length": "1000000"}, never) == 404


async def test_any_number_may_ask_at_once_whether_it_is_ready(caller: Caller) -> None:
    answers = await asyncio.gather(*(caller.client.get("/readyz") for _ in range(300)))

    assert {one.status_code for one in answers} == {200}
