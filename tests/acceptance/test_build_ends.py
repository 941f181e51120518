"""How builds end that do not succeed: each with its reason, and nothing of them left."""

from typing import Any

import pytest

from tests.support.building import FILES, Builds

pytestmark = pytest.mark.docker


async def test_what_no_buildpack_recognises_is_said(builds: Builds) -> None:
    builds.git.push("odd", {"README.md": "nothing to run"})

    end = await builds.failed(await builds.follow("odd"))

    assert end["reason"] == "no_buildpack"
    assert "No buildpack of the builder recognised this repository" in end["message"]


@pytest.mark.parametrize(
    ("name", "given", "reason", "words"),
    [
        ("no-branch", {"branch": "gone"}, "commit_not_found", "no branch or tag 'gone'"),
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
    (builds.git.root / "work" / name / "link").symlink_to("/etc")
    (builds.git.root / "work" / name / "within").symlink_to("../../../../../../../..")
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


async def test_a_cancelled_build_is_gone(builds: Builds) -> None:
    script = "import time\nprint('it waits', flush=True)\ntime.sleep(600)"
    deployment = await builds.begun(await builds.runs("sleeps", script), "it waits")

    path = f"/v1/deployments/{deployment['id']}/cancel?wait=60"
    answer = await builds.stack.call("POST", path)

    assert (answer.status_code, answer.json()["reason"]) == (200, "cancelled")
    assert builds.leavings() == []
