"""A network for each application, on a real engine."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from aweigh.containers.address_space import AddressSpace
from aweigh.containers.application_networks import ApplicationNetworks
from aweigh.containers.networks import Networks
from aweigh.containers.subnet import Subnet
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.engine import Engine
from aweigh.engine.labels import (
    IDENTITY,
    INSTANCE,
)
from aweigh.engine.naming import Names
from aweigh.routing.route import Generation, Routing, render
from aweigh.routing.route_files import RouteFiles
from aweigh.servers.locks import Locks
from examples.demo.image import base_image
from tests.support.leftovers import remove_leftovers

pytestmark = pytest.mark.docker
SOCKET = "unix:///var/run/docker.sock"


@pytest.fixture
def prefix() -> Iterator[str]:
    name = f"t{secrets.token_hex(3)}"
    yield name
    remove_leftovers(name)


@pytest.fixture
async def ours(prefix: str, tmp_path: Path) -> ApplicationNetworks:
    engine, names = Engine(SOCKET), Names(prefix)
    networks = Networks(engine, prefix, "machine")
    route_files = RouteFiles(tmp_path / "routes")
    route_files.prepare()
    (tmp_path / "locks").mkdir()
    return ApplicationNetworks(
        engine=engine,
        networks=networks,
        names=names,
        space=AddressSpace(
            engine,
            await networks.subnet(names, ""),
            route_files,
            Locks(tmp_path / "locks"),
            tmp_path,
        ),
        labels={INSTANCE: prefix, IDENTITY: "machine"},
    )


def route(ours: ApplicationNetworks, slug: str, address: str) -> None:
    """As if this application were live at this address."""
    generation = Generation(
        instance="i", application=f"app_{slug}", slug=slug, deployment="dep_1", sequence=1,
        image_id="sha256:1", addresses=(address,), port=80,
    )  # fmt: skip
    ours.space.route_files.write(generation, _line(generation), routed=False)


def _line(generation: Generation) -> str:
    settings = ApplicationSettings.model_validate({"source": {"image": "shop"}})
    return render(generation, settings, Routing(certificates=False, secure_port=443))


async def test_applications_that_come_at_once_have_networks_of_their_own(
    engine: docker.DockerClient, prefix: str, ours: ApplicationNetworks
) -> None:
    slugs = [f"shop-{number}" for number in range(6)]

    made = await asyncio.gather(*(ours.ensure(f"app_{slug}", slug) for slug in slugs))
    again = await ours.ensure("app_shop-0", "shop-0")

    names = {one.name for one in engine.networks.list(names=[f"{prefix}.application-"])}
    assert names == {one.name for one in made}
    assert len({one.subnet for one in made}) == len(slugs)
    assert all(one.subnet.subnet_of(ours.space.subnet.network) for one in made)
    assert again == made[0]
    assert await ours.owners() == {f"app_{slug}" for slug in slugs}


async def test_what_was_removed_by_hand_comes_back_where_it_was_and_no_other_takes_it(
    engine: docker.DockerClient, ours: ApplicationNetworks
) -> None:
    shop = await ours.ensure("app_shop", "shop")
    route(ours, "shop", await ours.take_address(shop, "shop"))
    engine.networks.get(shop.name).remove()
    ours.space.last_slice.write_text("0")  # as if it had gone round

    other = await ours.ensure("app_other", "other")
    again = await ours.ensure("app_shop", "shop")

    assert again == shop
    assert not other.subnet.overlaps(shop.subnet)


async def test_the_slice_of_a_container_that_stands_still_is_nobody_elses(
    engine: docker.DockerClient, prefix: str, ours: ApplicationNetworks
) -> None:
    shop = await ours.ensure("app_shop", "shop")
    address = await ours.take_address(shop, "shop")
    engine.api.create_container(
        base_image(engine), name=f"{prefix}-shop-1-0", labels={"aweigh.application": "app_shop"},
        host_config=engine.api.create_host_config(network_mode=shop.name),
        networking_config={
            "EndpointsConfig": {shop.name: engine.api.create_endpoint_config(ipv4_address=address)}
        },
    )  # fmt: skip
    next_one = await ours.take_address(shop, "shop")
    engine.networks.get(shop.name).remove()
    ours.space.last_slice.write_text("0")

    other = await ours.ensure("app_other", "other")

    assert next_one != address
    assert ipaddress.ip_address(address) not in other.subnet


async def test_a_slice_that_somebody_elses_network_has_is_passed_over(
    engine: docker.DockerClient, prefix: str, ours: ApplicationNetworks
) -> None:
    theirs = ours.space.subnet.slice(1)
    pool = docker.types.IPAMPool(subnet=str(theirs))
    engine.networks.create(
        f"{prefix}-theirs", ipam=docker.types.IPAMConfig(pool_configs=[pool]),
    )  # fmt: skip

    assert (await ours.ensure("app_shop", "shop")).subnet == ours.space.subnet.slice(2)


async def test_a_full_subnet_is_told_with_what_to_do(ours: ApplicationNetworks) -> None:
    network = ipaddress.IPv4Network((str(ours.space.subnet.network[0]), 24))
    small = replace(ours, space=replace(ours.space, subnet=Subnet(network)))
    await small.ensure("app_shop", "shop")

    with pytest.raises(StepFailed, match=r"All 1 application networks .* remove unused"):
        await small.ensure("app_late", "late")
    await small.remove("shop")
    assert (await small.ensure("app_late", "late")).subnet == ours.space.subnet.slice(1)


async def test_a_network_of_that_name_that_is_not_ours_is_refused_and_left(
    engine: docker.DockerClient, prefix: str, ours: ApplicationNetworks
) -> None:
    name = f"{prefix}.application-shop"
    engine.networks.create(name, labels={"whose": "theirs"})

    with pytest.raises(StepFailed, match="was not created by this installation"):
        await ours.ensure("app_shop", "shop")
    await ours.remove("shop")

    assert engine.networks.get(name).attrs["Labels"] == {"whose": "theirs"}


async def test_unused_networks_of_applications_stay_until_the_application_goes(
    engine: docker.DockerClient, prefix: str, ours: ApplicationNetworks
) -> None:
    shop = await ours.ensure("app_shop", "shop")
    await ours.networks.remove_unused_networks(keep=set())
    kept = [one.name for one in engine.networks.list(names=[f"{prefix}.application-"])]

    await ours.networks.remove_all_networks()

    assert kept == [shop.name]
    assert engine.networks.list(names=[prefix]) == []
