"""Which token may make which calls."""

import pytest

from tests.support.api_caller import BEARERS, Caller

READ, DEPLOY, ADMIN, SERVER = "read", "deploy", "admin", "server"

CALLS = [
    (READ, "GET", "/v1/applications"),
    (ADMIN, "POST", "/v1/applications"),
    (READ, "GET", "/v1/applications/shop"),
    (ADMIN, "PATCH", "/v1/applications/shop"),
    (ADMIN, "GET", "/v1/applications/shop/settings"),
    (ADMIN, "POST", "/v1/applications/shop/settings/rotate"),
    (ADMIN, "GET", "/v1/applications/shop/env"),
    (READ, "GET", "/v1/applications/shop/labels"),
    (ADMIN, "PUT", "/v1/applications/shop/env"),
    (ADMIN, "PUT", "/v1/applications/shop/volumes"),
    (DEPLOY, "POST", "/v1/applications/shop/deployments"),
    (ADMIN, "DELETE", "/v1/applications/shop"),
    (READ, "GET", "/v1/events"),
    (READ, "GET", "/v1/channels"),
    (ADMIN, "POST", "/v1/channels"),
    (READ, "GET", "/v1/channels/chn_1"),
    (ADMIN, "PATCH", "/v1/channels/chn_1"),
    (ADMIN, "DELETE", "/v1/channels/chn_1"),
    (ADMIN, "GET", "/v1/channels/chn_1/secret"),
    (ADMIN, "POST", "/v1/channels/chn_1/rotate"),
    (ADMIN, "POST", "/v1/channels/chn_1/test"),
    (READ, "GET", "/v1/channels/chn_1/deliveries"),
    (READ, "GET", "/v1/channels/chn_1/deliveries/dlv_1"),
    (ADMIN, "POST", "/v1/channels/chn_1/deliveries/dlv_1/redeliver"),
    (READ, "GET", "/v1/deployments"),
    (READ, "GET", "/v1/deployments/dep_1"),
    (READ, "GET", "/v1/deployments/dep_1/steps"),
    (READ, "GET", "/v1/deployments/dep_1/log"),
    (DEPLOY, "POST", "/v1/deployments/dep_1/cancel"),
    (ADMIN, "DELETE", "/v1/deployments/dep_1"),
    (DEPLOY, "POST", "/v1/deployments/dep_1/retry"),
    (DEPLOY, "POST", "/v1/deployments/dep_1/rollback"),
    (ADMIN, "GET", "/v1/tokens"),
    (ADMIN, "POST", "/v1/tokens"),
    (ADMIN, "DELETE", "/v1/tokens/ci"),
    (SERVER, "POST", "/v1/worker/lease"),
    (SERVER, "GET", "/v1/worker/inventory"),
    (SERVER, "GET", "/v1/worker/releases/dep_1"),
    (SERVER, "PUT", "/v1/worker/releases/dep_1/steps/pull"),
    (SERVER, "PUT", "/v1/worker/releases/dep_1/log?offset=0"),
    (SERVER, "PUT", "/v1/worker/releases/dep_1/fence"),
]
ALLOWED = {
    READ: {READ, DEPLOY, ADMIN},
    DEPLOY: {DEPLOY, ADMIN},
    ADMIN: {ADMIN},
    SERVER: {SERVER},
}
BODY = {"content": b"{}", "headers": {"Content-Type": "application/json"}}


async def test_every_call_is_in_this_list(caller: Caller) -> None:
    paths = caller.app.openapi()["paths"]
    needing_a_token = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method, described in methods.items()
        if "security" in described
    }
    names = {"shop": "{application}", "dep_1": "{deployment}", "ci": "{name}", "labels": "{part}",
             "volumes": "{part}", "chn_1": "{channel}", "dlv_1": "{delivery}"}  # fmt: skip

    listed = {
        (method, "/".join(names.get(part, part) for part in path.split("/")))
        for _, method, path in CALLS
    }

    assert needing_a_token - listed == set()
    assert set(paths) - {path for _, path in needing_a_token} == {
        "/v1/events/{deploy_hook}", "/v1/github/webhooks", "/healthz", "/readyz",
    }  # fmt: skip


@pytest.mark.parametrize(("needed", "method", "path"), CALLS, ids=[" ".join(c[1:]) for c in CALLS])
async def test_a_call_is_for_those_who_may(
    caller: Caller, needed: str, method: str, path: str
) -> None:
    await caller.create()

    for scope in (READ, DEPLOY, ADMIN, SERVER):
        if scope in ALLOWED[needed]:
            continue
        answer = await caller.call(method, path, scope=scope, **BODY)
        assert answer.status_code == 403
        assert answer.json()["detail"] == (
            f"This call requires the scope {needed}; the token has {BEARERS[scope].scope}."
        )
    for scope in ALLOWED[needed]:
        answer = await caller.call(method, path, scope=scope, **BODY)
        assert answer.status_code not in (401, 403)


NO_TOKENS = ["", "Bearer", "Bearer ", "Bearer awg_guess", "Basic YTpi", "awg_guess"]


@pytest.mark.parametrize(("method", "path"), [call[1:] for call in CALLS[::6]])
async def test_nobody_comes_in_without_a_token(caller: Caller, method: str, path: str) -> None:
    for headers in ({}, *({"Authorization": value} for value in NO_TOKENS)):
        answer = await caller.client.request(method, path, headers=headers)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:aweigh:problem:unauthorized"


async def test_a_token_that_was_taken_back_stops_working(caller: Caller) -> None:
    assert (await caller.call("DELETE", "/v1/tokens/ci")).status_code == 204

    assert (await caller.call("GET", "/v1/applications", scope=DEPLOY)).status_code == 401


async def test_a_new_token_works_and_is_shown_once(caller: Caller) -> None:
    made = (await caller.call("POST", "/v1/tokens", json={"name": "x", "scope": "read"})).json()

    headers = {"Authorization": f"Bearer {made['token']}"}
    assert (await caller.client.get("/v1/applications", headers=headers)).status_code == 200
    assert made["token"] not in (await caller.call("GET", "/v1/tokens")).text
    again = await caller.call("POST", "/v1/tokens", json={"name": "x", "scope": "admin"})
    assert again.status_code == 409


async def test_a_token_cannot_take_itself_back(caller: Caller) -> None:
    answer = await caller.call("DELETE", "/v1/tokens/admin")

    assert answer.status_code == 409
    assert (await caller.get("/v1/applications"))["items"] == []


async def test_health_needs_no_token(caller: Caller) -> None:
    assert (await caller.client.get("/healthz")).json()["status"] == "ok"
    assert (await caller.client.get("/readyz")).status_code == 200
