"""From a repository to a running release, on real parts."""

from pathlib import Path

import docker
import pytest

from tests.support.building import FILES, SLEEPS, Builds
from tests.support.git_server import git_server
from tests.support.outside import ask, progress_in_temporal, step, until

pytestmark = pytest.mark.docker


async def test_a_repository_becomes_a_running_release(builds: Builds) -> None:
    commit = builds.git.push("shop", FILES, message="Open the shop")
    app = await builds.follow("shop")

    answer = await builds.stack.deploy(app)

    assert answer.status_code == 200, answer.text
    deployed = answer.json()
    assert (deployed["commit"], deployed["commit_subject"]) == (commit, "Open the shop")
    assert deployed["image"]["reference"].startswith(f"{builds.stack.prefix}/shop:built-")
    assert (await ask(builds.stack, "shop.localhost")).text == "shop unknown\n"
    assert "process web: /usr/local/bin/python" in await builds.stack.log(deployed["id"])
    assert builds.leavings() == []


async def test_equal_content_is_not_built_twice(builds: Builds) -> None:
    builds.git.push("twice", FILES)
    app, stack = await builds.follow("twice"), builds.stack
    first = (await stack.deploy(app)).json()

    again = (await stack.deploy(app)).json()
    anew = await stack.call(
        "POST", f"/v1/applications/{app['id']}/deployments?wait=600", json={"rebuild": True}
    )

    assert again["image"] == first["image"]
    assert "process web" not in await stack.log(again["id"])
    assert "process web" in await stack.log(anew.json()["id"])
    assert anew.json()["image"]["id"] == first["image"]["id"]  # the same, made once more


async def test_signed_pushes_go_live_the_second_by_the_first_and_a_broken_one_leaves_it_live(
    builds: Builds,
) -> None:
    stack, launcher = builds.stack, "layer 'buildpacksio/lifecycle:launcher'"
    first = builds.git.push("pushed", FILES)
    app = await builds.follow("pushed")

    live = await builds.pushed(app, first)
    changed = FILES["application.py"].replace('"unknown"', '"second"')
    second = builds.git.push("pushed", {"application.py": changed})
    newer = await builds.pushed(app, second, first)
    broken = builds.git.push("pushed", {"Procfile": "web without a colon\n"})
    fails = await builds.pushed(app, broken, second)

    assert (live["state"], live["commit"], live["trigger"]) == ("succeeded", first, "push")
    assert (newer["state"], newer["commit"]) == ("succeeded", second)
    assert f"Adding {launcher}" in await stack.log(live["id"])
    assert f"Reusing {launcher}" in await stack.log(newer["id"])
    assert (fails["state"], fails["reason"]) == ("failed", "build_failed")
    for told in (await stack.log(fails["id"]), (await step(stack, fails["id"], "build"))["detail"]):
        assert "Procfile: not `name: command`" in told
    assert (await ask(stack, "pushed.localhost")).text == "pushed second\n"


async def test_a_pushed_commit_is_built_wherever_the_branch_goes_but_a_forks_is_not(
    builds: Builds,
) -> None:
    git, stack = builds.git, builds.stack
    first, pushed = git.push("forced", FILES), git.push("forced", {"number": "2"})
    app = await builds.follow("forced")
    git.move("forced", "main", first)
    forked = git.push("forced", {"number": "3"}, "refs/pull/1/head")

    live = await builds.pushed(app, pushed, first)
    path = f"/v1/applications/{app['id']}/deployments?wait=600"
    refused = await stack.call("POST", path, json={"commit": forked})

    assert (live["state"], live["commit"]) == ("succeeded", pushed)
    assert refused.json()["deployment"]["reason"] == "commit_not_on_branch"


@pytest.mark.long
async def test_a_force_push_while_it_builds_ends_that_build_and_is_built(builds: Builds) -> None:
    git, stack = builds.git, builds.stack
    first = git.push("rewritten", FILES)
    app = await builds.runs("rewritten", SLEEPS)
    slow = git.push("rewritten", {})
    building = await builds.begun(app, "it waits")

    async def shown() -> bool:
        detail = (await step(stack, building["id"], "build"))["detail"]
        shown_by_temporal = await progress_in_temporal(stack, building)
        return detail == "builder, phase 4 of 5" and detail in shown_by_temporal

    await until(shown)
    git.move("rewritten", "main", first)
    live = await builds.pushed(app, first, slow, forced=True)
    given_up = await stack.deployment(building["id"])

    assert (live["state"], live["commit"]) == ("succeeded", first)
    assert (given_up["state"], given_up["reason"]) == ("failed", "superseded")
    assert given_up["superseded_by"] == live["id"]
    assert builds.leavings() == []


async def test_a_private_repository_is_read_with_its_token_only(
    builds: Builds, tmp_path: Path
) -> None:
    stack = builds.stack
    with git_server(tmp_path) as git:
        git.users = {"x-access-token": "correct-horse-battery"}
        git.push("private", FILES)
        token = {"credentials": {"type": "token", "token": "correct-horse-battery"}}
        app = await builds.follow("private", source={"repository": git.url("private")} | token)
        wrong = {"credentials": {"type": "token", "token": "wrong-horse-battery"}}

        deployed = (await stack.deploy(app)).json()
        await stack.call("PATCH", f"/v1/applications/{app['id']}", json={"source": wrong})
        git.push("private", {"more": "x"})
        refused = await builds.failed(app)

    assert deployed["state"] == "succeeded"
    assert refused["reason"] == "repository_auth"
    for text in (await stack.log(deployed["id"]), await stack.log(refused["id"]), str(refused)):
        assert "horse-battery" not in text
    shown = (await stack.call("GET", f"/v1/applications/{app['id']}")).json()
    assert shown["source"]["credentials"] == {"type": "token", "username": "x-access-token"}


@pytest.mark.long
async def test_images_that_no_kept_release_has_and_caches_of_removed_applications_go(
    engine: docker.DockerClient, builds: Builds
) -> None:
    stack = builds.stack
    repository = f"{stack.prefix}/kept"
    builds.git.push("kept", FILES)
    app = await builds.follow("kept")
    for number in range(3):  # two are kept
        builds.git.push("kept", {"number": str(number)})
        assert (await stack.deploy(app)).status_code == 200

    def built() -> list[str]:
        found = engine.api.images(name=repository)
        tags = [tag for one in found for tag in one["RepoTags"] or []]
        return [tag for tag in tags if ":built-" in tag]

    async def two_are_left() -> bool:
        return len(built()) == 2

    await until(two_are_left)
    await stack.call("DELETE", f"/v1/applications/{app['id']}?volumes=true")
    await stack.until_gone(app)

    assert built() == []
    assert engine.volumes.list(filters={"name": f"{stack.prefix}.cache-kept"}) == []
