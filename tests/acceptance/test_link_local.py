"""A cloud's metadata service, and whatever else is link-local, is not for applications."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.containers.build_firewall import Firewall, interface_of
from aweigh.containers.iptables import Chain
from aweigh.engine.naming import Names
from examples.demo.image import PYTHON, make_image
from tests.support.checkpoint import default_bridge_address, gateway_of
from tests.support.images import temporary_repository
from tests.support.link_local import PORT, Neighbour, neighbour
from tests.support.outside import containers, step
from tests.support.ports import free_ports
from tests.support.programs import releases_with
from tests.support.reconciling import reconcile
from tests.support.second_server import second_server
from tests.support.stack import Stack

pytestmark = pytest.mark.docker

#: Which of these addresses, each with a port, take a connection.
KNOCK = """
import socket, sys
for place in {places}:
    try:
        socket.create_connection(place, 3).close()
        print("reached", *place)
    except OSError as error:
        print("refused", *place)
"""


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        make_image(engine, repository=name, tag="v1", environment={"NAME": "curious"})
        yield name


@pytest.fixture(scope="module")
def beside() -> Iterator[Neighbour]:
    with neighbour() as known:
        yield known


def knock(*addresses: str, port: int = PORT) -> str:
    return KNOCK.format(places=[(address, port) for address in addresses])


async def reached(container: Container, *addresses: str, port: int = PORT) -> set[str]:
    command = [PYTHON, "-c", knock(*addresses, port=port)]
    ended = await asyncio.to_thread(container.exec_run, command)
    assert isinstance(ended.output, bytes)
    lines = [line.split() for line in ended.output.decode().splitlines()]
    assert len(lines) == len(addresses), ended.output
    return {line[1] for line in lines if line[0] == "reached"}


async def deployed(stack: Stack, repository: str, name: str, **settings: Any) -> dict[str, Any]:
    app = await stack.create(
        name, {"type": "image", "image": repository, "tag": "v1"}, **settings
    )  # fmt: skip
    answer = await stack.deploy(app)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_applications_and_release_commands_reach_no_link_local_address(
    engine: docker.DockerClient, stack: Stack, repository: str, beside: Neighbour
) -> None:
    """Neither past this machine, nor by its own redirections, nor on the machine itself."""
    every = (beside.public, beside.link_local, beside.redirected, beside.local)

    deployment = await deployed(
        stack, repository, "curious", networks=["curious-back"], **releases_with(knock(*every))
    )
    [container] = containers(engine, stack.prefix, "curious")
    common = container.attrs["NetworkSettings"]["Networks"][f"{stack.prefix}-curious-back"]
    ways = [await reached(container, *every)]
    # The same by the common network, which this machine serves as a gateway as well.
    engine.networks.get(f"{stack.prefix}.application-curious").disconnect(container)
    ways.append(await reached(container, *every))

    log = await stack.log(deployment["id"])
    assert common["Gateway"]
    assert ways == [{beside.public}] * 2
    assert [log.count(f"reached {one} ") for one in every] == [1, 0, 0, 0]
    ready = (await step(stack, deployment["id"], "preflight"))["detail"]
    assert ready == "server local is ready"


@pytest.mark.parametrize(
    "again", [pytest.param("deployment", marks=pytest.mark.long), "reconciler"]
)
async def test_isolation_that_somebody_took_away_are_put_up_again(
    engine: docker.DockerClient, stack: Stack, repository: str, beside: Neighbour, again: str
) -> None:
    """As where the packet filter is reloaded."""
    name = f"walled-{again}"
    await deployed(stack, repository, name)
    ApplicationFirewall(names=Names(stack.prefix)).remove_now()

    if again == "deployment":
        await deployed(stack, repository, f"{name}-other")
    else:
        await reconcile(stack)

    [container] = containers(engine, stack.prefix, name)
    assert await reached(container, beside.public, beside.link_local) == {beside.public}


async def test_applications_reach_ports_that_others_publish_but_not_their_networks(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    [port], here = free_ports(1), default_bridge_address(engine)
    await deployed(stack, repository, "publisher", ports=[{"host": port, "container": PORT}])
    await deployed(stack, repository, "visitor")
    [publisher] = containers(engine, stack.prefix, "publisher")
    [visitor] = containers(engine, stack.prefix, "visitor")
    [network] = publisher.attrs["NetworkSettings"]["Networks"].values()

    assert await reached(publisher, network["IPAddress"]) == {network["IPAddress"]}
    assert await reached(visitor, network["IPAddress"]) == set()
    assert await reached(visitor, here, port=port) == {here}


async def test_the_packet_filter_of_builds_is_restored_while_their_network_exists(
    engine: docker.DockerClient, stack: Stack
) -> None:
    """As where the packet filter is reloaded in the middle of a build."""
    interface = interface_of(Names(stack.prefix).build_network)
    chains = Firewall(interface=interface).chains([])
    options = {"com.docker.network.bridge.name": interface}
    engine.networks.create(f"{stack.prefix}.building", driver="bridge", options=options)
    assert not any(is_hooked(chain) for chain in chains)

    await reconcile(stack)

    assert all(is_hooked(chain) for chain in chains)


def is_hooked(chain: Chain) -> bool:
    return subprocess.run(chain.change("-C"), check=False, capture_output=True).returncode == 0


async def test_settings_open_what_is_needed_and_close_private_networks(
    engine: docker.DockerClient,
    stack: Stack,
    repository: str,
    beside: Neighbour,
    tmp_path: Path,
) -> None:
    settings = {
        "AWEIGH_APPLICATION_NETWORKS": f'["{beside.link_local}/32"]',
        "AWEIGH_CLOSE_PRIVATE_NETWORKS": "true",
    }
    async with second_server(stack, tmp_path / "closed", "closed", **settings) as prefix:
        await deployed(stack, repository, "enclosed", server="closed")
        [container] = containers(engine, prefix, "enclosed")
        here = gateway_of(engine, prefix)
        server = await asyncio.start_server(lambda _, writer: writer.close(), here, PORT)
        async with server:
            found = await reached(
                container, beside.public, beside.link_local, beside.redirected, beside.local, here
            )

    assert found == {beside.public, beside.link_local}


async def test_where_the_packet_filter_cannot_be_set_every_deployment_says_what_is_open(
    engine: docker.DockerClient,
    stack: Stack,
    repository: str,
    beside: Neighbour,
    tmp_path: Path,
) -> None:
    """Here because its commands are missing; it is the same for whoever is not root."""
    async with second_server(stack, tmp_path / "open", "open", PATH=str(tmp_path)) as prefix:
        deployment = await deployed(stack, repository, "exposed", server="open")
        [container] = containers(engine, prefix, "exposed")
        found = await reached(container, beside.link_local)

    said = (await step(stack, deployment["id"], "preflight"))["detail"]
    assert "server open is ready; but applications of this server can reach link-local" in said
    assert "iptables-restore" in said
    assert found == {beside.link_local}
