"""A server's token opens what its server needs now: every route, for every kind of subject."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from fastapi.routing import APIRoute

from api import server_workers
from aweigh.contract import BOOT_HEADER, IDENTITY_HEADER
from aweigh.deployments.deployment import Reason
from aweigh.deployments.workflow_ids import ExpectedWorkflow, deployment_workflow, removal_workflow
from aweigh.github.app import App, GitHub
from aweigh.store import applications, deployments, lifecycle, logs, releases, removals, servers
from aweigh.store.tables import ReleaseRow
from aweigh.temporal.executions import Executions
from tests.support.api_caller import Caller, open_api
from tests.support.github_api import APP_ID, GitHubApi, github_api
from tests.support.installation import Databases, open_store, start, succeed

HOLDER = {IDENTITY_HEADER: "identity-1", BOOT_HEADER: "boot-1"}
SOURCE = {
    "type": "git", "repository": "http://127.0.0.1/acme/shop.git",
    "credentials": {"type": "github_app", "installation": 7},
    "build": {"method": "buildpacks", "env": {"BUILD_KEY": "a-secret-of-builds"}},
}  # fmt: skip
COMMIT = "2" * 40
#: A deployment of each kind: its application, what was done with it, and when.
KINDS = ("waiting", "in_flight", "live", "ended", "long_ended", "removed", "others")
RUNNING = {"state": "running", "run_id": "run-1", "attempt": 1}
DONE = RUNNING | {"state": "succeeded"}


@dataclass
class Temporal:
    """One that knows some runs as those of workflows that lanes started."""

    runs: set[tuple[ExpectedWorkflow, str]] = field(default_factory=set)

    async def is_run_of(self, expected: ExpectedWorkflow, run_id: str) -> bool:
        return (expected, run_id) in self.runs


@pytest.fixture
def temporal() -> Temporal:
    return Temporal()


@pytest.fixture
def github() -> Iterator[GitHubApi]:
    with github_api() as running:
        yield running


@pytest.fixture
async def caller(
    databases: Databases, tmp_path: Path, github: GitHubApi, temporal: Temporal
) -> AsyncIterator[Caller]:
    app = App(id=APP_ID, private_key=github.private_key, webhook_secret="a-secret-of-the-app")
    client = GitHub(github.url, app)
    known = cast(Executions, temporal)
    async with (
        open_store(databases.new()) as store,
        open_api(store, tmp_path, client, known) as opened,
    ):
        yield opened
    await client.close()


async def application(caller: Caller, name: str) -> dict[str, Any]:
    body = {"name": name.replace("_", "-"), "source": SOURCE}
    answer = await caller.call("POST", "/v1/applications", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@dataclass(frozen=True)
class Subjects:
    """A deployment of each kind and its application, by kind."""

    deployments: dict[str, str]
    applications: dict[str, str]


@pytest.fixture
async def subjects(caller: Caller) -> Subjects:
    apps = {kind: await application(caller, kind) for kind in KINDS}
    made = {kind: await caller.deploy(app) for kind, app in apps.items()}
    for kind in KINDS[1:]:
        await start(caller.store, made[kind])
    await succeed(caller.store, made["live"])
    async with caller.store.write() as tx:
        for kind in ("ended", "long_ended"):
            await lifecycle.failed(tx, made[kind], Reason.UNHEALTHY, "no", run_id="run-1")
        row = await deployments.find_row(tx, made["long_ended"])
        row.finished_at = tx.now - timedelta(days=2)
        found = await applications.find(tx, apps["removed"]["id"], lock=True)
        await removals.request(tx, found.row, volumes=False)
        await removals.succeeded(tx, apps["removed"]["id"], 2)
        await servers.ensure(tx, "eu-1")
        row = await deployments.find_row(tx, made["others"])
        row.server = "eu-1"
        found = await applications.find(tx, apps["others"]["id"], lock=True)
        found.row.server = "eu-1"
    lease = {"identity": "identity-1", "boot": "boot-1", "worker_version": "1"}
    assert (await call(caller, "POST", "/lease", json=lease)).is_success
    return Subjects(made, {kind: app["id"] for kind, app in apps.items()})


async def call(caller: Caller, method: str, path: str, **options: Any) -> httpx2.Response:
    return await caller.call(method, f"/v1/worker{path}", scope="server", headers=HOLDER, **options)


#: What is answered for a subject that waits, is in flight, is live, has just ended, has ended long
#: ago, is of an application that was removed, or is another server's.
TABLE: dict[str, tuple[str, str, dict[str, Any], tuple[int, ...]]] = {
    "release": ("GET", "/releases/{deployment}", {}, (200, 200, 200, 404, 404, 404, 404)),
    "release, for its run": (
        "GET", "/releases/{deployment}?run=run-1", {}, (404, 200, 200, 404, 404, 404, 404)),
    "release, for another run": (
        "GET", "/releases/{deployment}?run=run-2", {}, (404, 404, 404, 404, 404, 404, 404)),
    "release, for no run": (
        "GET", "/releases/{deployment}?run=", {}, (404, 404, 404, 404, 404, 404, 404)),
    "repository token": (
        "POST", "/releases/{deployment}/repository-token", {},
        (200, 200, 404, 404, 404, 404, 404)),
    "step that runs": (
        "PUT", "/releases/{deployment}/steps/{name}", {"json": RUNNING},
        (410, 200, 200, 410, 410, 404, 404)),
    "step that is done": (
        "PUT", "/releases/{deployment}/steps/{name}", {"json": DONE},
        (410, 200, 200, 200, 410, 404, 404)),
    "step of another run": (
        "PUT", "/releases/{deployment}/steps/{name}", {"json": RUNNING | {"run_id": "run-2"}},
        (410, 410, 410, 410, 410, 404, 404)),
    "log": (
        "PUT", "/releases/{deployment}/log", {"params": {"offset": 0}, "content": b"x"},
        (200, 200, 200, 200, 410, 404, 404)),
    "fence": (
        "PUT", "/releases/{deployment}/fence", {"json": {"highest": 3}},
        (200, 200, 404, 404, 404, 404, 404)),
    "fence beyond reason": (
        "PUT", "/releases/{deployment}/fence", {"json": {"highest": 2**62}}, (422,) * 7),
    "removal": (
        "GET", "/removals/{application}?run=run-1", {}, (404,) * 7),
    "branch": ("GET", "/branches/{application}", {}, (404, 404, 200, 200, 200, 404, 404)),
    "head": (
        "PUT", "/branches/{application}/head",
        {"json": {"repository": SOURCE["repository"], "branch": "main", "sequence": 1,
                  "before": None, "commit": COMMIT}},
        (200, 200, 200, 200, 200, 404, 404)),
}  # fmt: skip
#: Routes without a subject: they are about the token's own server.
ITS_OWN = {"/lease", "/inventory", "/findings", "/branches"}


def test_every_route_of_a_server_worker_is_in_the_table() -> None:
    listed = {(method, path.partition("?")[0]) for method, path, _, _ in TABLE.values()}
    routes = {
        (method, route.path.removeprefix("/v1/worker"))
        for route in cast(list[APIRoute], server_workers.router.routes)
        for method in route.methods or ()
    }

    assert {(method, path) for method, path in routes if path not in ITS_OWN} == listed
    assert {path for _, path in routes} >= ITS_OWN


@pytest.mark.parametrize("case", TABLE)
async def test_a_route_answers_for_what_its_server_needs(
    caller: Caller, subjects: Subjects, case: str
) -> None:
    method, path, options, expected = TABLE[case]

    answers = {
        kind: await call(
            caller, method,
            path.replace("{deployment}", subjects.deployments[kind])
            .replace("{application}", subjects.applications[kind])
            .replace("{name}", "drain"),
            **options,
        )
        for kind in KINDS
    }  # fmt: skip

    assert {kind: answer.status_code for kind, answer in answers.items()} == dict(
        zip(KINDS, expected, strict=True)
    )
    if "release" not in case:
        assert not any("a-secret-of-builds" in answer.text for answer in answers.values())


async def test_only_a_run_that_its_lane_started_reopens_what_has_ended(
    caller: Caller, subjects: Subjects, temporal: Temporal
) -> None:
    """Else whoever has the token could read the release of anything that ever failed."""
    failed = subjects.deployments["ended"]
    report = RUNNING | {"run_id": "run-2"}
    path = f"/releases/{failed}"

    refused = await call(caller, "PUT", f"{path}/steps/pull", json=report)
    unread = await call(caller, "GET", f"{path}?run=run-2")
    temporal.runs.add((deployment_workflow("ended", 1, failed), "run-2"))
    taken = await call(caller, "PUT", f"{path}/steps/pull", json=report)
    read = await call(caller, "GET", f"{path}?run=run-2")

    assert [one.status_code for one in (refused, unread, taken, read)] == [410, 404, 200, 200]
    assert (await caller.get(f"/v1/deployments/{failed}"))["state"] == "started"


async def test_a_removal_is_told_to_the_run_that_its_lane_started(
    caller: Caller, subjects: Subjects, temporal: Temporal
) -> None:
    application_id = subjects.applications["live"]
    path = f"/removals/{application_id}"
    temporal.runs.add((removal_workflow("live", 2), "run-3"))
    early = await call(caller, "GET", path, params={"run": "run-3"})
    answer = await caller.call("DELETE", f"/v1/applications/{application_id}?volumes=true")
    assert answer.is_success, answer.text

    told = await call(caller, "GET", path, params={"run": "run-3"})
    strange = await call(caller, "GET", path, params={"run": "run-4"})

    assert [one.status_code for one in (early, told, strange)] == [404, 200, 404]
    assert told.json() == {
        "application": application_id, "slug": "live", "sequence": 2, "volumes": True,
    }  # fmt: skip


async def test_what_has_ended_is_not_pinned_to_another_image(
    caller: Caller, subjects: Subjects
) -> None:
    image = {"reference": "shop:v9", "id": "sha256:" + "9" * 64}

    for kind in ("live", "ended"):
        await call(
            caller, "PUT", f"/releases/{subjects.deployments[kind]}/steps/sweep",
            json=DONE | {"image": image, "commit": "9" * 40},
        )  # fmt: skip

    for kind in ("live", "ended"):
        async with caller.store.read() as tx:
            row = await deployments.find_row(tx, subjects.deployments[kind])
            release = await tx.session.get_one(ReleaseRow, row.release_id)
            assert (releases.image_of(release).id, release.commit) == (None, None)


async def test_a_log_that_came_late_is_kept(caller: Caller, subjects: Subjects) -> None:
    """It stood on the server's disk while the API was away."""
    ended = subjects.deployments["ended"]

    await call(caller, "PUT", f"/releases/{ended}/log", params={"offset": 0}, content=b"last words")

    async with caller.store.read() as tx:
        assert await logs.read(tx, ended, 0, 100) == b"last words"
