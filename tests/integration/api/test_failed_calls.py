"""How often an address may fail, and who is not held up by that."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from aweigh.core.ids import new_secret
from tests.support.api_caller import Caller, open_api
from tests.support.github import delivery, push
from tests.support.installation import Databases, open_store

MOST = 5
REPOSITORY = "https://github.com/acme/shop.git"
WEBHOOKS = "/v1/github/webhooks"
UNSIGNED = {"X-Hub-Signature-256": f"sha256={'0' * 64}"}

Call = Callable[[httpx2.AsyncClient], Awaitable[httpx2.Response]]


@pytest.fixture
async def caller(databases: Databases, tmp_path: Path) -> AsyncIterator[Caller]:
    async with (
        open_store(databases.new()) as store,
        open_api(store, tmp_path, api_failures_a_minute=MOST) as opened,
    ):
        yield opened


def client_at(caller: Caller, address: str = "192.0.2.1") -> httpx2.AsyncClient:
    """A client at another address than the tests' own."""
    transport = httpx2.ASGITransport(caller.app, client=(address, 1), raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://aweigh")


FAILURES: Mapping[str, Call] = {
    "hook": lambda client: client.post("/v1/events/hook_x", headers={"X-Deploy-Secret": "x"}),
    "hook without a secret": lambda client: client.post("/v1/events/hook_x", content=b"{}"),
    "no signature": lambda client: client.post(WEBHOOKS, content=b"{}"),
    "signature": lambda client: client.post(WEBHOOKS, content=b"{}", headers=UNSIGNED),
    "no token": lambda client: client.get("/v1/deployments"),
    "token": lambda client: client.get("/v1/deployments", headers={"Authorization": "Bearer x"}),
    "no token with a body": lambda client: client.post("/v1/applications", json={}),
    "worker": lambda client: client.get("/v1/worker/inventory"),
    "nothing": lambda client: client.get("/v1/nothing"),
}


async def fail(client: httpx2.AsyncClient, call: Call = FAILURES["hook"]) -> list[int]:
    return [(await call(client)).status_code for _ in range(MOST)]


@pytest.mark.parametrize("call", FAILURES.values(), ids=FAILURES)
async def test_whoever_fails_too_often_has_to_wait(caller: Caller, call: Call) -> None:
    async with client_at(caller) as client:
        assert set(await fail(client, call)) <= {401, 404}

        answer = await call(client)

    assert (answer.status_code, answer.headers["content-type"]) == (429, "application/problem+json")
    assert answer.json()["type"] == "urn:aweigh:problem:rate_limited"
    assert 1 <= int(answer.headers["retry-after"]) <= 60


AT_OTHER_DOORS = [name for name in FAILURES if "signature" not in name]


@pytest.mark.parametrize("again", AT_OTHER_DOORS)
async def test_no_door_lets_in_whoever_failed_at_another(caller: Caller, again: str) -> None:
    async with client_at(caller) as client:
        await fail(client)

        assert (await FAILURES[again](client)).status_code == 429


@pytest.mark.parametrize("name", ["hook", "token", "worker"])
async def test_each_of_many_at_once_counts(caller: Caller, name: str) -> None:
    async with client_at(caller) as client:
        answers = await asyncio.gather(*(FAILURES[name](client) for _ in range(MOST * 4)))

    statuses = sorted(one.status_code for one in answers)
    assert statuses[MOST - 1] in (401, 404)
    assert statuses[MOST:] == [429] * (MOST * 3)


async def test_many_who_may_be_here_may_come_at_once(caller: Caller) -> None:
    apps = [await caller.create(f"app{number}") for number in range(MOST)]

    answers = await asyncio.gather(*(caller.hook(app) for app in apps for _ in range(2)))

    # A machine that cannot take so many tells some of them; nobody is taken for a guesser.
    assert {202} <= {one.status_code for one in answers} <= {202, 503}


async def test_other_addresses_are_not_held_up(caller: Caller) -> None:
    app = await caller.create()
    async with client_at(caller) as client:
        await fail(client)

    assert (await caller.hook(app)).status_code == 202


@pytest.mark.parametrize(("one", "other", "held_up"), [
    ("2001:db8::1", "2001:db8::ffff:2", True), ("2001:db8::1", "2001:db8:0:1::1", False),
    ("192.0.2.1", "::ffff:192.0.2.1", True),
])  # fmt: skip
async def test_an_address_is_what_one_caller_has_to_himself(
    caller: Caller, one: str, other: str, held_up: bool
) -> None:
    async with client_at(caller, one) as first, client_at(caller, other) as second:
        await fail(first)

        answer = await FAILURES["hook"](second)

    assert (answer.status_code == 429) is held_up


async def test_what_succeeds_costs_nothing(caller: Caller) -> None:
    app = await caller.create()

    for _ in range(MOST * 4):
        assert (await caller.hook(app)).status_code == 202
        assert (await caller.call("GET", "/v1/deployments/dep_x")).status_code == 404
        assert (await caller.call("POST", "/v1/applications", json={})).status_code == 422
        assert (await caller.call("GET", "/v1/deployments", scope="server")).status_code == 403


async def test_who_was_let_in_before_is_not_held_up_by_others_at_his_address(
    caller: Caller,
) -> None:
    app, known = await caller.create(), delivered(caller, await follow(caller), hook_id="7")
    assert (await caller.hook(app)).status_code == 202
    assert (await known()).status_code == 202
    await fail(caller.client)

    assert (await caller.hook(app)).status_code == 202
    assert (await caller.call("GET", "/v1/deployments")).status_code == 200
    assert (await known()).status_code == 202
    assert (await caller.hook(app, secret="another")).status_code == 429


async def test_a_token_is_looked_at_whatever_fails_at_its_address(caller: Caller) -> None:
    await fail(caller.client)

    answer = await caller.client.get(
        "/v1/deployments", headers={"Authorization": f"Bearer {new_secret('awg')}"}
    )

    assert answer.status_code == 429
    assert (await caller.call("GET", "/v1/deployments")).status_code == 200


async def test_a_deploy_hook_is_looked_at_whatever_fails_at_its_address(caller: Caller) -> None:
    app = await caller.create()
    await fail(caller.client)

    assert (await caller.hook(app, secret=new_secret("awds"))).status_code == 429
    assert (await caller.hook(app)).status_code == 202


async def test_a_secret_that_was_rotated_is_a_strangers(caller: Caller) -> None:
    app = await caller.create()
    await caller.hook(app)
    await caller.call("POST", f"/v1/applications/{app['id']}/settings/rotate")

    answers = [(await caller.hook(app)).status_code for _ in range(MOST + 1)]

    assert answers == [404] * MOST + [429]


async def test_deliveries_of_another_webhook_at_the_same_address_are_not_held_up(
    caller: Caller,
) -> None:
    app, image = await follow(caller), await caller.create()
    await fail(caller.client, deliver_wrongly(hook_id="666"))
    assert (await deliver_wrongly(hook_id="666")(caller.client)).status_code == 429

    assert (await delivered(caller, app, hook_id="7")()).status_code == 202
    assert (await delivered(caller, app, hook_id="8", size=100_000)()).status_code == 202
    assert (await caller.hook(image)).status_code == 202


async def test_small_deliveries_are_looked_at_whatever_fails_at_their_address(
    caller: Caller,
) -> None:
    app = await follow(caller)
    for number in range(25):  # as many webhooks as have a count of their own, and more
        await fail(caller.client, deliver_wrongly(hook_id=f"{number}"))

    assert (await delivered(caller, app, hook_id="7")()).status_code == 202
    assert (await delivered(caller, app, hook_id="1", size=100_000)()).status_code == 429
    assert (await deliver_wrongly(hook_id="99")(caller.client)).status_code == 429
    assert (await delivered(caller, app, hook_id="7", size=100_000)()).status_code == 202


def deliver_wrongly(*, hook_id: str) -> Call:
    headers = UNSIGNED | {"X-GitHub-Hook-ID": hook_id}
    return lambda client: client.post(WEBHOOKS, content=b"{}", headers=headers)


async def follow(caller: Caller) -> dict[str, Any]:
    body = {"name": "followed", "source": {"type": "git", "repository": REPOSITORY}}
    return dict((await caller.call("POST", "/v1/applications", json=body)).json())


def delivered(
    caller: Caller, app: Mapping[str, Any], *, hook_id: str, size: int = 0
) -> Callable[[], Awaitable[httpx2.Response]]:
    payload = push(REPOSITORY, after="1" * 40) | {"pad": "x" * size}
    request = delivery(payload, app["webhook_secret"], id=f"{hook_id}-{size}")
    request["headers"]["X-GitHub-Hook-ID"] = hook_id
    return lambda: caller.client.post(WEBHOOKS, **request)
