"""How builds end that do not succeed: each with its reason, and nothing of them left."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aweigh.builds.buildpacks.builder import BuildPhase
from tests.support.building import FILES, SLEEPS, Builds, building, phases_run
from tests.support.outside import step, until
from tests.support.second_server import second_server
from tests.support.world import assert_says

pytestmark = pytest.mark.docker


async def test_what_no_buildpack_recognises_is_said(builds: Builds) -> None:
    builds.git.push("odd", {"README.md": "nothing to run"})

    end = await builds.failed(await builds.follow("odd"))

    assert end["reason"] == "no_buildpack"
    assert "No buildpack of the builder recognised this repository" in end["message"]


@pytest.mark.parametrize(
    ("name", "given", "reason", "words"),
    [
        ("no-branch", {"branch": "gone"}, "commit_not_found", "no branch 'gone'"),
        ("no-builder", {"build": {"builder": "{repository}:run"}}, "builder_not_found",
         "is not a builder image"),
        ("no-directory", {"subdirectory": "web"}, "build_failed", "no directory 'web'"),
        ("linked", {"subdirectory": "link"}, "build_failed", "links are not followed"),
        ("linked-within", {"subdirectory": "within/etc"}, "build_failed", "links are not followed"),
    ],
)  # fmt: skip
async def test_what_cannot_be_built_is_said(
    builds: Builds, name: str, given: dict[str, Any], reason: str, words: str
) -> None:
    builds.git.push(name, FILES)
    (builds.git.tree(name) / "link").symlink_to("/etc")
    (builds.git.tree(name) / "within").symlink_to("../../../../../../../..")
    builds.git.push(name, {})
    if "build" in given:
        given = {"build": {"builder": builds.builder.replace(":builder", ":run")}}

    end = await builds.failed(await builds.follow(name, source=given))

    assert end["reason"] == reason
    assert words in end["message"]
    assert builds.leavings() == []


async def test_a_build_that_fails_says_so(builds: Builds) -> None:
    app = await builds.runs("fails", "raise SystemExit('the build says no')")

    end = await builds.failed(app)

    assert end["reason"] == "build_failed", end
    assert "the build says no" in await builds.stack.log(end["id"])
    assert builds.leavings() == []


async def test_a_cancelled_build_is_gone_and_so_is_one_that_waits_for_its_turn(
    builds: Builds,
) -> None:
    first = await builds.begun(await builds.runs("sleeps", SLEEPS), "it waits")
    second = (await builds.stack.deploy(await builds.runs("queues", SLEEPS), wait=0)).json()

    async def it_is_fetched() -> bool:
        return (await step(builds.stack, second["id"], "fetch")).get("state") == "succeeded"

    await until(it_is_fetched)
    await builds.cancelled(second)
    assert not [one for one in builds.leavings() if second["id"] in one or "queues" in one]
    await builds.cancelled(first)
    assert builds.leavings() == []


async def test_a_superseded_build_is_gone_before_the_next_begins(builds: Builds) -> None:
    application = await builds.runs("superseded", SLEEPS)
    with phases_run(builds.engine, f"{builds.stack.prefix}.build-superseded-") as ran:
        older = await builds.begun(application, "it waits")
        builds.git.push("superseded", {"build.py": None})
        newer = await builds.ended(application)
        older = await builds.stack.deployment(older["id"])

    assert (newer["state"], older["reason"]) == ("succeeded", "superseded")
    assert older["superseded_by"] == newer["id"]
    assert ran == ["1-analyzer", "1-detector", "1-restorer", "1-builder",
                   *(f"2-{phase}" for phase in BuildPhase)]  # fmt: skip
    assert builds.leavings() == []


@pytest.mark.long
async def test_minutes_count_although_no_worker_is_there(builds: Builds) -> None:
    stack = builds.stack
    app = await builds.runs("too-long", SLEEPS, limits={"minutes": 1})
    deployment = await builds.begun(app, "it waits")
    builder = builds.phase(deployment, BuildPhase.BUILDER)
    began = datetime.fromisoformat(
        builds.engine.containers.get(builder).attrs["State"]["StartedAt"]
    )
    await stack.crash()

    async def its_time_is_over() -> bool:
        return datetime.now(UTC) - began > timedelta(seconds=60)

    await until(its_time_is_over, 90)
    assert builds.engine.containers.get(builder).status == "running"
    await stack.start()
    end = await stack.deployment(deployment["id"], wait=600)

    assert (end["state"], end["reason"]) == ("failed", "timed_out"), end
    assert "longer than its 1 min" in end["message"]
    assert builds.leavings() == []


async def test_where_nothing_can_be_cut_off_that_is_said_before_a_builder_is_pulled(
    builds: Builds, tmp_path: Path
) -> None:
    (tools := tmp_path / "tools").mkdir()
    (tools / "git").symlink_to(shutil.which("git") or "")  # and no iptables
    builds.git.push("open", FILES)
    source = builds.source("open", builder="registry.invalid/builder:1")
    given = {"PATH": str(tools), **building(builds.builder)}
    async with second_server(builds.stack, tmp_path, "open", **given):
        failed = await builds.failed(await builds.stack.create("open", source, server="open"))

    assert_says(failed, "build_failed", "Builds cannot be kept out of", "iptables",
                "AWEIGH_ALLOW_OPEN_BUILD_NETWORK=true")  # fmt: skip
