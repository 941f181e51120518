"""The proof that the proof works: a swap that must lose requests is caught losing them."""

from __future__ import annotations

import asyncio

import docker
import pytest

from examples.demo.image import make_image
from tests.integration.examples.conftest import StartContainer
from tests.support.load import Kind, Load, mixed_flows, running

pytestmark = [pytest.mark.docker, pytest.mark.load]


async def test_stopping_the_old_before_starting_the_new_is_found_to_lose_requests(
    client: docker.DockerClient, repository: str, start_container: StartContainer, port: int
) -> None:
    for version in ("v1", "v2"):
        make_image(client, repository=repository, tag=version, environment={"VERSION": version})
    old = await asyncio.to_thread(start_container, f"{repository}:v1", port=port)
    load = Load(
        url=f"http://127.0.0.1:{port}",
        flows=mixed_flows(200),
        name="demo",
        versions=frozenset({"v1", "v2"}),
    )

    async with running(load) as run:
        await run.until(lambda: run.answered >= 200)
        failed_before_the_swap = run.failed
        await asyncio.to_thread(old.stop)
        await asyncio.to_thread(start_container, f"{repository}:v2", port=port)
        await run.until(lambda: run.versions.get("v2", 0) >= 200)

    report = run.report()
    assert failed_before_the_swap == 0
    assert report.failed > 0
    assert report.kinds.keys() & {Kind.CONNECT_ERROR, Kind.RESET, Kind.EOF}
    assert report.failed == sum(report.kinds.values()) - report.kinds[Kind.OK]
    assert report.last_seen["v1"] < report.first_seen["v2"]


async def test_a_container_left_alone_is_found_to_lose_nothing(
    client: docker.DockerClient, repository: str, start_container: StartContainer, port: int
) -> None:
    make_image(client, repository=repository, tag="v1", environment={"VERSION": "v1"})
    await asyncio.to_thread(start_container, f"{repository}:v1", port=port)
    load = Load(url=f"http://127.0.0.1:{port}", flows=mixed_flows(200), name="demo")

    async with running(load) as run:
        await run.until(lambda: run.answered >= 400)

    assert run.report().kinds == {Kind.OK: run.sent}
