"""The network of an application: there while the application is, whatever somebody does to it."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from examples.demo.image import make_image
from tests.support.images import temporary_repository
from tests.support.outside import ask, containers
from tests.support.reconciling import reconcile
from tests.support.stack import Stack

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        make_image(engine, repository=name, tag="v1", environment={"NAME": "cut"})
        yield name


@pytest.mark.parametrize("how", [pytest.param("disconnected", marks=pytest.mark.long), "stopped"])
async def test_a_live_application_whose_network_was_removed_answers_again_where_it_was(
    engine: docker.DockerClient, stack: Stack, repository: str, how: str
) -> None:
    host = f"{how}.localhost"
    app = await stack.create(
        how, {"type": "image", "image": repository, "tag": "v1"},
        domains=[{"host": host, "tls": False}],
    )  # fmt: skip
    assert (await stack.deploy(app)).status_code == 200
    network = engine.networks.get(f"{stack.prefix}.application-{how}")
    [container] = containers(engine, stack.prefix, how)
    before = container.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]
    if how == "stopped":
        container.stop(timeout=0)
    else:
        network.disconnect(container, force=True)
    network.remove()

    await reconcile(stack)

    [after] = containers(engine, stack.prefix, how)
    assert after.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"] == before
    assert (await ask(stack, host)).text.startswith("cut ")

    await stack.call("DELETE", f"/v1/applications/{app['id']}")
    await stack.until_gone(app)
    assert engine.networks.list(names=[network.name]) == []
