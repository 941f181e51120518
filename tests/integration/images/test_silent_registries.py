"""Whoever asks a registry can stop asking, wherever the registry stopped answering."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from aweigh.deployments.image_reference import ImageReference
from aweigh.engine.engine import Engine
from aweigh.images.images import Images
from tests.support.silent_registry import silent_registry

pytestmark = pytest.mark.docker
SOCKET = "unix:///var/run/docker.sock"
#: Much less than an engine waits for a registry.
SECONDS = 20

Ask = Callable[[Images, ImageReference], Awaitable[object]]


async def pull(images: Images, reference: ImageReference) -> None:
    await images.pull(reference, None)


async def look_up(images: Images, reference: ImageReference) -> None:
    await images.look_up(reference, None)


@pytest.mark.parametrize("ask", [pull, look_up])
@pytest.mark.parametrize("place", ["/v2/", "/token", "/v2/acme/shop/manifests/"])
async def test_a_cancel_ends_what_a_registry_does_not_answer(place: str, ask: Ask) -> None:
    images = Images(Engine(SOCKET))
    with silent_registry(place) as registry:
        reference = ImageReference(
            repository=f"{registry.host}/acme/shop", digest=f"sha256:{'a' * 64}"
        )
        asking = asyncio.ensure_future(ask(images, reference))
        assert await asyncio.to_thread(registry.asked.wait, SECONDS)

        asking.cancel()

        await asyncio.wait([asking], timeout=SECONDS)
        assert asking.cancelled()
