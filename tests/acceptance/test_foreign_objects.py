"""Containers, volumes and networks of somebody else, under the names that Aweigh would give."""

from collections.abc import Iterator, Mapping
from typing import Any

import docker
import pytest

from examples.demo.image import make_image
from tests.support.images import temporary_repository
from tests.support.outside import containers, until
from tests.support.programs import releases_with
from tests.support.stack import Stack
from tests.support.world import assert_says

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def source(engine: docker.DockerClient) -> Iterator[dict[str, Any]]:
    with temporary_repository(engine) as name:
        make_image(engine, repository=name, tag="v1", environment={}, instructions=("USER 0",))
        yield {"type": "image", "image": name, "tag": "v1"}


async def test_containers_of_somebody_else_are_refused_and_left_alone(
    engine: docker.DockerClient, stack: Stack, source: dict[str, Any]
) -> None:
    """Also one that has the name of a release command's container."""
    app = await stack.create("squatted", source, **releases_with("print('hi')"))
    squatters = [
        engine.containers.run(
            "{image}:{tag}".format_map(source), detach=True, name=f"{stack.prefix}-squatted-{name}",
            labels={"aweigh.instance": "another", "aweigh.application": app["id"]},
        )
        for name in ("1-release", "2-0", "3-release")
    ]  # fmt: skip
    try:
        failed = [(await stack.deploy(app)).json()["deployment"] for _ in range(2)]
        await stack.call("PATCH", f"/v1/applications/{app['id']}", json={"release_command": None})
        fine = await stack.deploy(app)
        for one in squatters:
            one.reload()
        left = [one.attrs["State"] for one in squatters]
    finally:
        for one in squatters:
            one.remove(force=True, v=True)

    for deployment, squatter in zip(failed, squatters, strict=False):
        words = (repr(squatter.name), "belongs to another installation")
        assert_says(deployment, "start_failed", *words)
    assert fine.status_code == 200
    assert [state["Status"] for state in left] == ["running"] * 3


async def test_volumes_and_networks_of_somebody_else_are_refused_and_left_alone(
    engine: docker.DockerClient, stack: Stack, source: dict[str, Any]
) -> None:
    volume = engine.volumes.create(f"{stack.prefix}-greedy_data", labels={"whose": "theirs"})
    name = f"{stack.prefix}-theirs"
    network = engine.networks.create(name, labels={"whose": "theirs"})
    try:
        app = await stack.create("greedy", source, volumes=[{"source": "data", "target": "/data"}])
        of_volume = (await stack.deploy(app)).json()["deployment"]
        change = {"volumes": None, "networks": ["theirs"]}
        await stack.call("PATCH", f"/v1/applications/{app['id']}", json=change)
        of_network = (await stack.deploy(app)).json()["deployment"]
        await stack.call("DELETE", f"/v1/applications/{app['id']}", params={"volumes": True})
        await until(lambda: gone(stack, app))
        left = engine.volumes.get(volume.name).attrs, engine.networks.get(name).attrs
    finally:
        volume.remove()
        network.remove()

    assert_says(of_volume, "start_failed", repr(volume.name), "was not created by")
    assert_says(of_network, "start_failed", repr(network.name), "was not created by")
    assert [one["Labels"] for one in left] == [{"whose": "theirs"}] * 2
    assert containers(engine, stack.prefix, "greedy") == []


async def gone(stack: Stack, app: Mapping[str, Any]) -> bool:
    return (await stack.call("GET", f"/v1/applications/{app['id']}")).status_code == 404


async def test_two_applications_whose_names_meet_do_not_share_a_volume(
    engine: docker.DockerClient, stack: Stack, source: dict[str, Any]
) -> None:
    """`meet` + `a-data` and `meet-a` + `data` read the same when a dash joins them."""
    mounted = []
    for name, volume in (("meet", "a-data"), ("meet-a", "data")):
        volumes = [{"source": volume, "target": "/data"}]
        app = await stack.create(name, source, volumes=volumes)
        answer = await stack.deploy(app)
        assert answer.status_code == 200, answer.text
        [container] = containers(engine, stack.prefix, name)
        mounted += [mount["Name"] for mount in container.attrs["Mounts"]]

    assert mounted == [f"{stack.prefix}-meet_a-data", f"{stack.prefix}-meet-a_data"]
