"""What applications' networks and volumes do, by the same assertions on real ones and fakes."""

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from aweigh.containers.networks import Networks
from aweigh.core.platform import Platform
from aweigh.core.settings import Settings
from aweigh.engine.container import Container
from aweigh.engine.container_spec import ContainerSpec
from aweigh.engine.engine import Engine
from aweigh.engine.labels import (
    APPLICATION,
    INSTANCE,
)
from aweigh.engine.naming import Names
from aweigh.images.server_platforms import ServerPlatforms
from examples.demo.image import PYTHON, base_image
from tests.support.fake_parts import FakeParts
from tests.support.leftovers import remove_leftovers
from worker.engine_facts import EngineFacts
from worker.server_parts import ServerParts

SHOP = "app_shop"


@dataclass
class Subject:
    parts: ServerParts
    image: str
    #: Takes a container out of a network, as a person may.
    disconnect: Callable[[str, str], None]

    @property
    def network(self) -> str:
        return self.parts.installation.names.application_network("shop")

    async def container(self, number: int) -> Container:
        """A running container of the application, at an address of its network."""
        networks = self.parts.application_networks
        bridge = await networks.ensure(SHOP, "shop")
        spec = ContainerSpec(
            name=self.parts.installation.names.container("shop", 1, number),
            image=self.image,
            labels={INSTANCE: self.parts.installation.instance},
            entrypoint=(PYTHON, "-c", "import signal; signal.pause()"),
            network=bridge.name,
            address=await networks.take_address(bridge, "shop"),
            stop_grace=0,
        )
        await self.parts.engine.create(spec)
        await self.parts.engine.start(spec.name)
        found = await self.parts.engine.container(spec.name)
        assert found
        return found


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.docker)])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    if request.param == "fake":
        fake = FakeParts(tmp_path)
        yield Subject(fake, "sha256:1", fake.engine.disconnect)
        return
    client: docker.DockerClient = request.getfixturevalue("engine")
    prefix = f"t{secrets.token_hex(3)}"
    settings = Settings(data=tmp_path, prefix=prefix)

    def disconnect(container: str, network: str) -> None:
        client.networks.get(network).disconnect(container)

    try:
        parts = await _real(settings)
        yield Subject(parts, str(client.images.get(base_image(client)).id), disconnect)
    finally:
        remove_leftovers(prefix)


async def _real(settings: Settings) -> ServerParts:
    own = Platform("linux", "amd64")
    networks = Networks(Engine(settings.docker_host), settings.prefix, "machine")
    facts = EngineFacts(
        root=settings.data,
        platforms=ServerPlatforms(server="local", own=own),
        subnet=await networks.subnet(Names(settings.prefix), ""),
    )
    parts = ServerParts(settings, settings.prefix, "machine", facts)
    parts.prepare()
    return parts


async def test_application_has_one_network_and_its_containers_have_its_addresses(
    subject: Subject,
) -> None:
    networks = subject.parts.application_networks
    one, two = await subject.container(1), await subject.container(2)

    bridge = await networks.ensure(SHOP, "shop")

    assert bridge.name == subject.network
    assert one.addresses[bridge.name] != two.addresses[bridge.name]
    in_use = await subject.parts.engine.addresses_on(bridge.name)
    assert in_use == {one.addresses[bridge.name], two.addresses[bridge.name]}
    assert await networks.cut_off("shop", [one, two]) == []


async def test_container_that_was_disconnected_is_cut_off(subject: Subject) -> None:
    one, two = await subject.container(1), await subject.container(2)

    subject.disconnect(one.name, subject.network)

    assert await subject.parts.application_networks.cut_off("shop", [one, two]) == [one]
    found = await subject.parts.engine.container(one.name)
    assert found
    assert subject.network not in found.addresses


async def test_container_of_a_network_that_was_removed_is_cut_off_from_the_next(
    subject: Subject,
) -> None:
    networks, one = subject.parts.application_networks, await subject.container(1)
    await subject.parts.engine.stop(one.name)

    await networks.remove("shop")
    without = await networks.cut_off("shop", [one])
    await networks.ensure(SHOP, "shop")

    assert without == [one]
    assert await networks.cut_off("shop", [one]) == [one]


async def test_volumes_go_with_their_application_alone(subject: Subject) -> None:
    networks, names = subject.parts.networks, subject.parts.installation.names
    for source, application in (("data", SHOP), ("data", SHOP), ("other", "app_other")):
        await networks.ensure_volume(names.volume("shop", source), {APPLICATION: application})
    both = [one[APPLICATION] for one in await networks.volumes({})]

    await networks.remove_volumes({APPLICATION: SHOP})

    assert sorted(both) == ["app_other", SHOP]
    assert [one[APPLICATION] for one in await networks.volumes({})] == ["app_other"]
