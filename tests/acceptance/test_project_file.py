"""What a repository's `project.toml` does to its build, and what the image says of its source."""

import json

import docker
import pytest

from tests.support.building import FILES, Builds

pytestmark = pytest.mark.docker

PROJECT = """
[io.buildpacks]
builder = "acme/other"
exclude = ["secret.txt"]

[[io.buildpacks.build.env]]
name = "GREETING"
value = "hello from the repository"

[[io.buildpacks.build.env]]
name = "BOTH"
value = "of the repository"

[[io.buildpacks.build.env]]
name = "SOURCE_DATE_EPOCH"
value = "1700000000"
"""
SCRIPT = """
import os
print("it says", os.environ["GREETING"], flush=True)
print("both:", os.environ["BOTH"], flush=True)
print("there:", sorted(os.listdir(".")), flush=True)
"""


async def test_it_gives_variables_and_leaves_files_out(
    engine: docker.DockerClient, builds: Builds
) -> None:
    files = FILES | {"project.toml": PROJECT, "secret.txt": "x", "build.py": SCRIPT}
    commit = builds.git.push("described", files)
    given = builds.source("described", env={"BOTH": "of the application"})

    deployed = (await builds.stack.deploy(await builds.follow("described", source=given))).json()

    assert deployed.get("state") == "succeeded", await builds.stack.log(
        deployed["deployment"]["id"]
    )
    log = await builds.stack.log(deployed["id"])
    assert "it says hello from the repository" in log
    assert "both: **********" in log  # the application's, which is a secret
    assert "there: ['Procfile', 'application.py', 'build.py', 'project.toml']" in log
    assert "these settings in project.toml have no effect: io.buildpacks.builder" in log
    image = engine.images.get(deployed["image"]["id"]).attrs
    assert image["Created"].startswith("2023-11-14T22:13:20")
    assert json.loads(image["Config"]["Labels"]["io.buildpacks.project.metadata"]) == {
        "source": {
            "type": "git",
            "version": {"commit": commit},
            "metadata": {"url": builds.git.url("described")},
        }
    }


async def test_one_that_cannot_be_understood_ends_the_build_with_the_place(builds: Builds) -> None:
    builds.git.push("misdescribed", FILES | {"project.toml": "[io]\nbuildpacks = 3"})

    failed = await builds.failed(await builds.follow("misdescribed"))

    assert failed["reason"] == "build_failed"
    assert "`io.buildpacks` is not a table. Correct it." in failed["message"]
    assert builds.leavings() == []
