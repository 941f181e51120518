"""Polls of followed branches: a real branch poller, a real git server and the API."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from aweigh.builds.source.targets import Targets
from aweigh.contract import BranchHead, Lease
from aweigh.core.private_target import PrivateTarget
from aweigh.deployments.deployment import Reason
from aweigh.servers.api_client import Api
from aweigh.store import lifecycle, servers
from tests.support.api_caller import Caller
from tests.support.git_server import GitServer, git_server
from tests.support.github import delivery, push
from tests.support.installation import start, succeed
from worker.branch_poller import BranchPoller


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "git") as server:
        server.push("shop", {"README.md": "first"})
        yield server


@pytest.fixture
async def api(caller: Caller) -> AsyncIterator[Api]:
    transport = httpx2.ASGITransport(caller.app)
    api = Api("http://aweigh", caller.tokens["server"], "identity-1", "boot-1", transport)
    await api.lease(Lease(identity="identity-1", boot="boot-1", worker_version="1"))
    yield api
    await api.close()


@pytest.fixture
def poller(api: Api, tmp_path: Path) -> BranchPoller:
    targets = Targets((PrivateTarget.parse("127.0.0.1/32"),))
    return BranchPoller(api, targets, tmp_path / "polls")


async def follow(
    caller: Caller, git: GitServer, name: str = "shop", **source: Any
) -> dict[str, Any]:
    given = {"type": "git", "repository": git.url(name), **source}
    answer = await caller.call("POST", "/v1/applications", json={"name": name, "source": given})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def deliver(
    caller: Caller, git: GitServer, app: dict[str, Any], commit: str, *, minutes: int = -1
) -> dict[str, Any]:
    """What was pushed so many minutes from now."""
    pushed_at = int((datetime.now(UTC) + timedelta(minutes=minutes)).timestamp())
    payload = push(git.url("shop"), after=commit, repository_fields={"pushed_at": pushed_at})
    request = delivery(payload, app["webhook_secret"])
    answer = await caller.client.post("/v1/github/webhooks", **request)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def made(caller: Caller) -> list[tuple[str, str]]:
    """Trigger and commit of every deployment, oldest first; each of them has succeeded since."""
    found = (await caller.get("/v1/deployments"))["items"][::-1]
    for one in found:
        if one["state"] == "created":
            await start(caller.store, one["id"])
            await succeed(caller.store, one["id"])
    return [(one["trigger"], one["commit"]) for one in found]


async def test_a_push_that_was_never_delivered_is_deployed_once(
    caller: Caller, git: GitServer, poller: BranchPoller
) -> None:
    app = await follow(caller, git)
    await poller.poll()
    assert await made(caller) == []  # the head at the first poll

    missed = git.push("shop", {"number": "2"})
    for _ in range(2):
        await poller.poll()
    late = await deliver(caller, git, app, missed)
    await made(caller)
    await poller.poll()

    assert await made(caller) == [("poll", missed)]
    assert late["ignored"][0]["reason"] == "a poll of the branch has deployed this commit"


async def test_a_push_that_was_delivered_is_left_alone(
    caller: Caller, git: GitServer, poller: BranchPoller
) -> None:
    app = await follow(caller, git)
    await poller.poll()
    pushed = git.push("shop", {"number": "2"})
    await deliver(caller, git, app, pushed)

    await poller.poll()
    assert await made(caller) == [("push", pushed)]
    await poller.poll()

    assert await made(caller) == [("push", pushed)]


async def test_what_was_deployed_by_hand_is_left_alone_also_after_a_rollback(
    caller: Caller, git: GitServer, poller: BranchPoller
) -> None:
    app = await follow(caller, git)
    await poller.poll()
    path, commits = f"/v1/applications/{app['id']}/deployments", []
    for number in range(2):
        commits.append(git.push("shop", {"number": str(number)}))
        answer = await caller.call("POST", path, json={"commit": commits[-1]})
        await made(caller)
    first = (await caller.get("/v1/deployments"))["items"][-1]["id"]
    await caller.call("POST", f"/v1/deployments/{first}/rollback")
    await made(caller)

    await poller.poll()

    assert answer.status_code == 202
    by_hand = [("manual", commit) for commit in commits]
    assert await made(caller) == [*by_hand, ("rollback", commits[0])]


async def test_deliveries_after_a_poll_are_ordered_by_their_push(
    caller: Caller, git: GitServer, poller: BranchPoller
) -> None:
    app = await follow(caller, git)
    await poller.poll()
    older, newer = (git.push("shop", {"number": number}) for number in "12")
    await poller.poll()
    await made(caller)

    late = [await deliver(caller, git, app, commit) for commit in (older, newer)]
    newest = git.push("shop", {"number": "3"})
    await deliver(caller, git, app, newest, minutes=1)

    assert [one["ignored"][0]["reason"] for one in late] == [
        "a newer push was taken already",
        "a poll of the branch has deployed this commit",
    ]
    assert await made(caller) == [("poll", newer), ("push", newest)]


@pytest.mark.parametrize(
    ("source", "files", "message", "deploys"),
    [
        ({}, {"web/x.py": "1"}, "docs\n\n[skip ci]", False),
        ({}, {"web/x.py": "1"}, "docs\n\n" + "x\n" * 50_000 + "[actions skip]", False),
        ({}, {"web/x.py": "1"}, "docs\n\nskip-checks: true", False),
        ({"paths": ["web"]}, {"api/x.py": "1", "website": "1"}, "change", False),
        ({"paths": ["web"]}, {"api/x.py": "1", "web/x.py": "1"}, "change", True),
        ({"branch": "other"}, {"web/x.py": "1"}, "change", False),
        ({"auto_deploy": False}, {"web/x.py": "1"}, "change", False),
    ],
)
async def test_what_a_push_would_not_deploy_is_left_alone(
    caller: Caller,
    git: GitServer,
    poller: BranchPoller,
    source: dict[str, Any],
    files: dict[str, str],
    message: str,
    deploys: bool,
) -> None:
    await follow(caller, git, **source)
    await poller.poll()
    missed = git.push("shop", files, message=message)

    for _ in range(2):
        await poller.poll()

    assert await made(caller) == ([("poll", missed)] if deploys else [])


async def test_what_is_pushed_while_it_does_not_follow_is_never_deployed(
    caller: Caller, git: GitServer, poller: BranchPoller
) -> None:
    app = await follow(caller, git)
    await poller.poll()
    for follows in (False, True):
        change = {"source": {"auto_deploy": follows}}
        answer = await caller.call("PATCH", f"/v1/applications/{app['id']}", json=change)
        assert answer.status_code == 200, answer.text
        git.push("shop", {"number": str(follows)})
    await poller.poll()
    assert await made(caller) == []

    missed = git.push("shop", {"number": "2"})
    await poller.poll()

    assert await made(caller) == [("poll", missed)]


@pytest.mark.parametrize("by_push", [False, True])
async def test_what_was_deleted_is_not_deployed_again(
    caller: Caller, git: GitServer, poller: BranchPoller, api: Api, by_push: bool
) -> None:
    """Nor is an older head, which a deployment since has replaced."""
    app = await follow(caller, git)
    await poller.poll()
    first = git.push("shop", {"number": "1"})
    await deliver(caller, git, app, first, minutes=-2)
    head = git.push("shop", {"number": "2"})
    if by_push:
        await deliver(caller, git, app, head)
    else:
        path = f"/v1/applications/{app['id']}/deployments"
        assert (await caller.call("POST", path, json={"commit": head})).status_code == 202
    newest, older = (await caller.get("/v1/deployments"))["items"]
    for one in (older, newest):
        await start(caller.store, one["id"])
        async with caller.store.write() as tx:
            await lifecycle.failed(tx, one["id"], Reason.UNHEALTHY, "no", run_id="run-1")

    assert (await caller.call("DELETE", f"/v1/deployments/{newest['id']}")).status_code == 204
    await poller.poll()

    assert await made(caller) == [("push", first)]
    branch = await api.branch(app["id"])
    assert branch
    assert head in branch.known
    assert (first in branch.known) is not by_push


async def test_a_delivery_that_comes_again_after_the_deletion_deploys_nothing(
    caller: Caller, git: GitServer
) -> None:
    app = await follow(caller, git)
    payload = push(git.url("shop"), after=git.push("shop", {"number": "1"}))
    request = delivery(payload, app["webhook_secret"])
    assert (await caller.client.post("/v1/github/webhooks", **request)).status_code == 202
    (one,) = (await caller.get("/v1/deployments"))["items"]
    await start(caller.store, one["id"])
    async with caller.store.write() as tx:
        await lifecycle.failed(tx, one["id"], Reason.UNHEALTHY, "no", run_id="run-1")
    await caller.call("DELETE", f"/v1/deployments/{one['id']}")

    again = await caller.client.post("/v1/github/webhooks", **request)

    assert again.status_code == 202, again.text
    assert await made(caller) == []


async def test_one_repository_that_is_gone_keeps_nobody_else_waiting(
    caller: Caller, git: GitServer, poller: BranchPoller
) -> None:
    await follow(caller, git, "gone")
    await follow(caller, git)
    await poller.poll()
    missed = git.push("shop", {"number": "2"}, message="Fix the basket")

    await poller.poll()

    assert await made(caller) == [("poll", missed)]
    assert (await caller.get("/v1/deployments"))["items"][0]["commit_subject"] == "Fix the basket"


async def test_what_was_seen_before_something_else_happened_counts_no_more(
    caller: Caller, git: GitServer, poller: BranchPoller, api: Api
) -> None:
    app = await follow(caller, git)
    await poller.poll()
    branch = await api.branch(app["id"])
    assert branch
    pushed = git.push("shop", {"number": "2"})
    await deliver(caller, git, app, pushed)
    seen = BranchHead(
        repository=branch.source.repository, branch="main", sequence=branch.sequence,
        before=branch.before, commit="1" * 40,
    )  # fmt: skip

    outcome = await api.report_head(app["id"], seen)

    assert (outcome.deployment, outcome.why_ignored) == (
        None,
        "the application has changed since the poll",
    )
    assert await made(caller) == [("push", pushed)]


async def test_a_worker_sees_the_branches_of_its_own_server_only(
    caller: Caller, git: GitServer, api: Api
) -> None:
    app = await follow(caller, git)
    transport = httpx2.ASGITransport(caller.app)
    other = Api("http://aweigh", caller.tokens["elsewhere"], "identity-2", "boot-1", transport)
    async with caller.store.write() as tx:
        await servers.ensure(tx, "eu-1")
    await other.lease(Lease(identity="identity-2", boot="boot-1", worker_version="1"))

    assert await other.polled_applications() == ()
    assert await other.branch(app["id"]) is None
    assert await api.polled_applications() == (app["id"],)
    await other.close()
