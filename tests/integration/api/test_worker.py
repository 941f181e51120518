"""What a server worker may read and report: the deployments in flight or live on its server."""

from typing import Any

import httpx2
import pytest
from dirty_equals import IsPartialDict

from aweigh.contract import BOOT_HEADER, IDENTITY_HEADER
from aweigh.deployments.deployment import Reason
from aweigh.store import lifecycle, servers
from tests.support.api_caller import Caller
from tests.support.installation import IMAGE, start, succeed

HOLDER = {IDENTITY_HEADER: "identity-1", BOOT_HEADER: "boot-1"}
RUNNING = {"state": "running", "run_id": "run-1", "attempt": 1}


async def call(caller: Caller, method: str, path: str, **options: Any) -> httpx2.Response:
    """As the worker that holds the name."""
    headers = HOLDER | options.pop("headers", {})
    options = {"scope": "server"} | options
    return await caller.call(method, f"/v1/worker{path}", headers=headers, **options)


async def lease(caller: Caller, identity: str = "identity-1", **options: Any) -> httpx2.Response:
    body = {"identity": identity, "boot": "boot-1", "worker_version": "1"}
    return await call(caller, "POST", "/lease", json=body, **options)


@pytest.fixture
async def deployment(caller: Caller) -> str:
    """One that has begun, on the server whose name is held."""
    shop = await caller.create(env={"TOKEN": "correct-horse"})
    made = await caller.deploy(shop)
    await start(caller.store, made)
    assert (await lease(caller)).status_code == 200
    return made


async def fail(caller: Caller, deployment_id: str) -> None:
    async with caller.store.write() as tx:
        await lifecycle.failed(tx, deployment_id, Reason.UNHEALTHY, "no", run_id="run-1")


async def test_a_name_is_held_by_one_worker(caller: Caller) -> None:
    assert (await lease(caller)).json() == {"server": "local"}
    assert (await lease(caller)).status_code == 200

    answer = await lease(caller, "identity-2")

    assert answer.status_code == 409
    assert "is held by another server worker" in answer.json()["detail"]


async def test_a_worker_reads_its_release_with_its_secrets(caller: Caller, deployment: str) -> None:
    answer = await call(caller, "GET", f"/releases/{deployment}")

    assert answer.status_code == 200
    assert answer.json() == IsPartialDict(
        deployment=deployment, slug="shop", server="local", sequence=1,
        image={"reference": f"{IMAGE}:v1", "id": None, "digest": None},
        settings=IsPartialDict(env={"TOKEN": "correct-horse"}),
    )  # fmt: skip


async def test_a_live_release_can_be_read_and_an_ended_one_cannot(
    caller: Caller, deployment: str
) -> None:
    await succeed(caller.store, deployment)
    failed = await caller.deploy(await caller.create("blog"))
    await fail(caller, failed)

    assert (await call(caller, "GET", f"/releases/{deployment}")).status_code == 200
    answer = await call(caller, "GET", f"/releases/{failed}")
    assert (answer.status_code, answer.json()["detail"]) == (
        404, f"{failed} is neither in flight nor live",
    )  # fmt: skip


async def test_a_release_that_was_replaced_can_no_longer_be_read(
    caller: Caller, deployment: str
) -> None:
    await succeed(caller.store, deployment)
    newer = await call_hook(caller)
    await succeed(caller.store, newer)

    assert (await call(caller, "GET", f"/releases/{deployment}")).status_code == 404
    assert (await call(caller, "GET", f"/releases/{newer}")).status_code == 200


async def call_hook(caller: Caller) -> str:
    answer = await caller.call("POST", "/v1/applications/shop/deployments")
    return str(answer.json()["id"])


PATHS = [
    ("GET", "/releases/{}", {}),
    ("PUT", "/releases/{}/steps/pull", {"json": RUNNING}),
    ("PUT", "/releases/{}/log?offset=0", {"content": b"x"}),
    ("PUT", "/releases/{}/fence", {"json": {"highest": 9}}),
]


@pytest.mark.parametrize(("method", "path", "options"), PATHS, ids=[path for _, path, _ in PATHS])
@pytest.mark.parametrize(
    "other",
    [
        {IDENTITY_HEADER: "identity-2"}, {IDENTITY_HEADER: ""},
        {BOOT_HEADER: "boot-2"}, {BOOT_HEADER: ""},
    ],
    ids=str,
)  # fmt: skip
async def test_another_identity_or_boot_is_refused(
    caller: Caller, deployment: str, method: str, path: str, options: Any, other: dict[str, str]
) -> None:
    answer = await call(caller, method, path.format(deployment), headers=other, **options)

    assert answer.status_code == 409
    assert "is held by another server worker (identity-1)" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path", "options"), PATHS, ids=[path for _, path, _ in PATHS])
async def test_another_servers_deployments_are_not_there(
    caller: Caller, deployment: str, method: str, path: str, options: Any
) -> None:
    async with caller.store.write() as tx:
        await servers.ensure(tx, "eu-1")
    await lease(caller, scope="elsewhere")

    answer = await call(caller, method, path.format(deployment), scope="elsewhere", **options)

    assert (answer.status_code, answer.json()["detail"]) == (
        404, f"there is no deployment {deployment!r} on server eu-1",
    )  # fmt: skip
    assert "correct-horse" not in answer.text


async def test_a_token_for_a_server_that_is_not_there_is_refused(caller: Caller) -> None:
    for answer in (
        await lease(caller, scope="elsewhere"),
        await call(caller, "GET", "/inventory", scope="elsewhere"),
    ):
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_step_is_written_down(caller: Caller, deployment: str) -> None:
    report = RUNNING | {"detail": "1 of 2 layers"}

    answer = await call(caller, "PUT", f"/releases/{deployment}/steps/pull", json=report)

    assert answer.status_code == 200
    (step,) = (await caller.get(f"/v1/deployments/{deployment}/steps"))["items"]
    assert step == IsPartialDict(name="pull", state="running", detail="1 of 2 layers")


async def test_a_step_of_what_has_ended_is_gone(caller: Caller, deployment: str) -> None:
    await fail(caller, deployment)

    answer = await call(caller, "PUT", f"/releases/{deployment}/steps/pull", json=RUNNING)

    assert answer.status_code == 410
    assert answer.json()["type"] == "urn:aweigh:problem:ended"


@pytest.mark.parametrize(
    ("name", "report"),
    [("dance", RUNNING), ("pull", {}), ("pull", RUNNING | {"state": "odd"})],
)
async def test_a_wrong_report_is_refused(
    caller: Caller, deployment: str, name: str, report: dict[str, Any]
) -> None:
    answer = await call(caller, "PUT", f"/releases/{deployment}/steps/{name}", json=report)

    assert answer.status_code == 422


async def put_log(caller: Caller, deployment_id: str, offset: int, data: bytes) -> httpx2.Response:
    path = f"/releases/{deployment_id}/log"
    return await call(caller, "PUT", path, params={"offset": offset}, content=data)


async def test_a_log_is_appended_at_its_exact_end(caller: Caller, deployment: str) -> None:
    answers = [
        await put_log(caller, deployment, 0, b""),
        await put_log(caller, deployment, 0, b"one\n"),
        await put_log(caller, deployment, 4, b"two\n"),
        await put_log(caller, deployment, 4, b"two\n"),
        await put_log(caller, deployment, 99, b"three\n"),
        await put_log(caller, deployment, 0, b""),
    ]

    assert [(one.status_code, one.json()["length"]) for one in answers] == [
        (200, 0), (200, 4), (200, 8), (409, 8), (409, 8), (200, 8),
    ]  # fmt: skip
    assert (await caller.call("GET", f"/v1/deployments/{deployment}/log")).text == "one\ntwo\n"


@pytest.mark.parametrize("offset", ["-1", "x", ""])
async def test_a_wrong_offset_is_refused(caller: Caller, deployment: str, offset: str) -> None:
    path = f"/releases/{deployment}/log"
    answer = await call(caller, "PUT", path, params={"offset": offset}, content=b"x")

    assert answer.status_code == 422


async def test_the_inventory_is_of_its_own_server(caller: Caller, deployment: str) -> None:
    answer = await call(caller, "GET", "/inventory")

    assert answer.status_code == 200
    (known,) = answer.json()["applications"]
    assert known == IsPartialDict(slug="shop", highest_sequence=1, keep=[1], removed=False)


async def test_the_inventory_can_be_of_one_application(caller: Caller, deployment: str) -> None:
    blog = await caller.create("blog")

    answer = await call(caller, "GET", "/inventory", params={"application": blog["id"]})

    assert [one["slug"] for one in answer.json()["applications"]] == ["blog"]


async def test_a_server_that_has_seen_more_lifts_the_counter(
    caller: Caller, deployment: str
) -> None:
    path = f"/releases/{deployment}/fence"

    first = await call(caller, "PUT", path, json={"highest": 9})
    again = await call(caller, "PUT", path, json={"highest": 9})

    assert first.status_code == again.status_code == 200
    made = first.json()["deployment"]
    assert (await caller.get(f"/v1/deployments/{made}"))["sequence"] == 10
    assert again.json() == {"deployment": None}
