"""The engine is restarted in a build: the build begins anew, from its caches."""

import asyncio
import os
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from docker.models.volumes import Volume

from tests.support.building import FILES, Builds, building, printed
from tests.support.own_engine import OwnEngine, own_engine
from tests.support.second_server import second_server

pytestmark = [
    pytest.mark.docker,
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has namespaces"),
]
_SLOW = "import time\nfor i in range(30): print('line', i, flush=True); time.sleep(0.1)"


async def test_a_build_whose_engine_is_restarted_begins_anew(
    engine: docker.DockerClient, builds: Builds, tmp_path: Path
) -> None:
    with own_engine() as own:
        for kind in ("builder", "run", "lifecycle"):
            own.take(engine, builds.builder.replace(":builder", f":{kind}"))
        settings = {
            **building(builds.builder),
            "AWEIGH_DOCKER_HOST": own.host,
            # Its networks are not this namespace's, and end with it.
            "AWEIGH_ALLOW_OPEN_BUILD_NETWORK": "true",
        }
        async with second_server(builds.stack, tmp_path, "restarts", **settings) as prefix:
            await _restart_in_a_build(builds, own, prefix)


async def _restart_in_a_build(builds: Builds, own: OwnEngine, prefix: str) -> None:
    builds.git.push("restarted", FILES | {"build.py": _SLOW})
    application = await builds.stack.create(
        "restarted", builds.source("restarted"), server="restarts",
        health_check={"type": "uptime", "seconds": 1},
    )  # fmt: skip
    deployment = await builds.begun(application, "line 10")
    await asyncio.to_thread(own.stop)
    await asyncio.to_thread(own.start)
    end = await builds.stack.deployment(deployment["id"], wait=600)

    lines = await printed(builds.stack, deployment["id"])
    assert end["state"] == "succeeded", "\n".join(lines)
    assert "build: The builder was killed by the engine or the server" in "\n".join(lines)
    assert lines[-1 - lines[::-1].index("line 0") :].count("line 29") == 1
    client = own.client()
    left: list[Container | Volume] = [*client.containers.list(all=True), *client.volumes.list()]
    client.close()
    assert [one.name for one in left if str(one.name).startswith(f"{prefix}.build-")] == []
