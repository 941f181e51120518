"""The installation's network, on a real engine."""

import asyncio
import ipaddress
import secrets
from collections.abc import Iterator

import docker
import pytest

from aweigh.containers.free_subnets import routes
from aweigh.containers.networks import Networks
from aweigh.core.errors import StartupError
from aweigh.engine.engine import Engine
from aweigh.engine.naming import Names
from tests.support.images import Variant, make_variant, temporary_repository
from tests.support.leftovers import remove_leftovers

pytestmark = pytest.mark.docker
SOCKET = "unix:///var/run/docker.sock"


@pytest.fixture
def name() -> Iterator[str]:
    prefix = f"t{secrets.token_hex(3)}"
    yield prefix
    remove_leftovers(prefix)


def networks(instance: str = "one", identity: str = "machine") -> Networks:
    return Networks(Engine(SOCKET), instance, identity)


async def test_a_subnet_that_nobody_uses_is_chosen_once(
    engine: docker.DockerClient, name: str
) -> None:
    subnet = await networks().subnet(Names(name), "")
    again = await networks().subnet(Names(name), "")

    others = [
        config["Subnet"]
        for network in engine.networks.list()
        if network.name != name
        for config in network.attrs["IPAM"]["Config"] or []
    ]
    assert again == subnet
    assert subnet.network.prefixlen == 16
    assert not any(subnet.network.overlaps(ipaddress.ip_network(one)) for one in others)


async def test_a_subnet_that_overlaps_one_of_the_machine_is_refused(name: str) -> None:
    with pytest.raises(
        StartupError, match=r"AWEIGH_SUBNET 127\.0\.0\.0/16 overlaps 127\.0\.0\.0/8"
    ):
        await networks().subnet(Names(name), "127.0.0.0/16")


async def test_a_network_of_another_installation_is_refused(name: str) -> None:
    await networks("one").subnet(Names(name), "")

    with pytest.raises(StartupError, match="AWEIGH_PREFIX"):
        await networks("two").subnet(Names(name), "")


async def test_another_server_worker_of_the_same_installation_is_refused(name: str) -> None:
    await networks("one", "machine").subnet(Names(name), "")

    with pytest.raises(StartupError, match="AWEIGH_PREFIX"):
        await networks("one", "clone").subnet(Names(name), "")


async def test_a_network_that_many_want_at_once_is_made_once(
    engine: docker.DockerClient, name: str
) -> None:
    ours = networks()

    async def wanted() -> None:
        async with ours.held(Names(name), ["back"]):
            pass

    await asyncio.gather(*(wanted() for _ in range(8)))

    assert len(engine.networks.list(names=[f"{name}-back"])) == 1


async def test_a_network_is_kept_for_a_container_that_does_not_run(
    engine: docker.DockerClient, name: str
) -> None:
    ours = networks(instance=name)
    with temporary_repository(engine) as repository:
        image = make_variant(engine, Variant.PLAIN, repository=repository, tag="v1")
        async with ours.held(Names(name), ["back", "idle"]):
            container = engine.containers.create(
                image, name=f"{name}-stopped", network=f"{name}-back"
            )

        await ours.remove_unused_networks(keep=set())

        left = [one.name for one in engine.networks.list(names=[name])]
        container.start()
        container.remove(force=True)
    assert left == [f"{name}-back"]


async def test_one_who_makes_containers_in_a_network_holds_up_no_other(
    engine: docker.DockerClient, name: str
) -> None:
    ours = networks(instance=name)
    async with ours.held(Names(name), ["back"]):
        async with asyncio.timeout(60), ours.held(Names(name), ["front"]):
            pass
        await ours.remove_unused_networks(keep=set())

        assert [one.name for one in engine.networks.list(names=[name])] == [f"{name}-back"]

    await ours.remove_unused_networks(keep=set())
    assert engine.networks.list(names=[name]) == []


def test_routes_are_read_from_the_kernels_table() -> None:
    table = (
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n"
        "tun0 0000C90A 00000000 0001 0 0 0 0000FFFF 0 0 0\n"
    )

    assert routes(table) == {ipaddress.ip_network("10.201.0.0/16")}
