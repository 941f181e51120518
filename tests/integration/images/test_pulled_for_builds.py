"""What is pulled for builds stays on the engine for as long as builds want it."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from aweigh.core.platform import Platform
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.engine import Engine
from aweigh.engine.naming import Names
from aweigh.images.build_tool_images import BuildToolImages
from aweigh.images.facts import ImageFacts
from aweigh.images.images import Images
from aweigh.images.pull import Puller
from aweigh.images.retention import Retention
from aweigh.images.server_platforms import ServerPlatforms
from aweigh.servers.disk import DiskReserve
from aweigh.servers.locks import Locks
from tests.support.artefacts import push_image, push_index
from tests.support.registry import Registry, forget_images, running_registries

pytestmark = pytest.mark.docker

KEPT = timedelta(days=30)


@pytest.fixture
def registry(engine: docker.DockerClient, tmp_path: Path) -> Iterator[Registry]:
    with running_registries(tmp_path / "registry") as (found, _):
        found.push(engine, "builder", "24")
        yield found
        forget_images(engine, found.host)


class Server:
    """The parts of a server that pull images for builds and remove them again."""

    def __init__(self, directory: Path) -> None:
        self.images = Images(Engine("unix:///var/run/docker.sock"))
        self.names = Names(f"t{secrets.token_hex(4)}")
        self.platforms = ServerPlatforms(server="local", own=Platform("linux", "amd64"))
        self._locks = Locks(directory)
        self._disk = DiskReserve(directory=directory, percent=0, least_bytes=0)

    @property
    def build_images(self) -> BuildToolImages:
        puller = Puller(self.images, self.platforms, self._disk)
        return BuildToolImages(self.names, self.images, self._locks, self.platforms, puller)

    async def remove_unused(self, now: datetime) -> None:
        await Retention(self.names, self.images, self._locks, KEPT).remove_unused_for_builds(now)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


async def wanted(server: Server, asked: str, *, refresh: bool = False) -> str:
    """The id of an image that a build wants; it has the name that it was asked for afterwards."""
    attempt = SimpleNamespace(is_cancelled=lambda: False)
    step: Any = SimpleNamespace(
        log=lambda text: None, progress=lambda detail: None, detail="", attempt=attempt
    )
    reference = ImageReference.parse(asked)
    return (await server.build_images.get(step, reference, refresh=refresh)).id


async def facts_of(server: Server, image_id: str) -> ImageFacts:
    found = await server.images.find(image_id)
    assert found is not None
    return found


async def names_of(server: Server, image_id: str) -> list[str]:
    found = await server.images.find(image_id)
    return sorted((*found.tags, *found.digests)) if found else []


async def test_it_goes_when_no_build_has_wanted_it_for_long(
    server: Server, registry: Registry
) -> None:
    asked = f"{registry.host}/builder:24"
    image_id = await wanted(server, asked)
    named = await names_of(server, image_id)

    await server.remove_unused(datetime.now(UTC) + KEPT - timedelta(minutes=1))
    kept = await names_of(server, image_id)
    await server.remove_unused(datetime.now(UTC) + KEPT + timedelta(minutes=1))

    assert asked in named
    assert server.names.for_builds(image_id) in named
    assert kept == named
    assert await names_of(server, image_id) == []


async def test_every_build_that_wants_it_keeps_it_for_as_long_again(
    server: Server, registry: Registry
) -> None:
    asked = f"{registry.host}/builder:24"
    first = await facts_of(server, await wanted(server, asked))

    again = await facts_of(server, await wanted(server, asked))
    assert first.named_at is not None
    assert again.named_at is not None
    await server.remove_unused(first.named_at + KEPT + (again.named_at - first.named_at) / 2)

    assert again.named_at > first.named_at
    assert asked in await names_of(server, first.id)


async def test_what_was_there_before_is_not_ours_to_remove(
    engine: docker.DockerClient, server: Server, registry: Registry
) -> None:
    asked = f"{registry.host}/builder:24"
    engine.images.pull(asked, platform=None)

    image_id = await wanted(server, asked)
    await server.remove_unused(datetime.now(UTC) + 2 * KEPT)

    assert asked in await names_of(server, image_id)


async def test_a_newer_one_is_brought_in_the_place_of_our_own_alone(
    engine: docker.DockerClient, server: Server, registry: Registry
) -> None:
    asked, theirs = f"{registry.host}/builder:24", f"{registry.host}/builder:theirs"
    registry.push(engine, "builder", "theirs")
    engine.images.pull(theirs, platform=None)
    before = [await wanted(server, one) for one in (asked, theirs)]
    for tag in ("24", "theirs"):
        registry.push(engine, "builder", tag)
    engine.images.get(before[1]).tag(theirs)  # which the push took away

    after = [await wanted(server, one, refresh=True) for one in (asked, theirs)]

    assert after[0] != before[0]
    assert after[1] == before[1]
    assert theirs in await names_of(server, before[1])


async def test_what_somebody_named_since_is_theirs_too(
    engine: docker.DockerClient, server: Server, registry: Registry
) -> None:
    asked, theirs = f"{registry.host}/builder:24", f"{registry.host}/builder:theirs"
    image_id = await wanted(server, asked)
    engine.images.get(image_id).tag(theirs)

    await server.remove_unused(datetime.now(UTC) + 2 * KEPT)

    left = await names_of(server, image_id)
    assert {asked, theirs} <= set(left)
    assert server.names.for_builds(image_id) not in left


async def test_by_a_tag_and_a_digest_it_is_the_digests(
    engine: docker.DockerClient, server: Server, registry: Registry
) -> None:
    digest = registry.push(engine, "pinned", "24")
    registry.push(engine, "pinned", "24")  # the tag has moved on
    asked = f"{registry.host}/pinned:24@{digest}"

    image_id = await wanted(server, asked)

    assert await wanted(server, asked) == image_id
    named = await names_of(server, image_id)
    assert named == sorted([f"{registry.host}/pinned@{digest}", server.names.for_builds(image_id)])


async def test_what_the_server_emulates_is_pulled_for_that_platform(
    server: Server, registry: Registry
) -> None:
    arm = push_image(registry, "emulated", "arm", {"os": "linux", "architecture": "arm64"})
    push_index(registry, "emulated", "v1", arm)
    asked = f"{registry.host}/emulated:v1"

    with pytest.raises(StepFailed, match="is for linux/arm64; server local is linux/amd64"):
        await wanted(server, asked)
    server.platforms = replace(server.platforms, emulated=(Platform("linux", "arm64"),))
    found = await facts_of(server, await wanted(server, asked))

    assert str(found.platform) == "linux/arm64"
