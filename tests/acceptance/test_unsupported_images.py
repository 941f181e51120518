"""What is no image, or none for this server, is said at once and never run."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.support.artefacts import ATTACHED, CONFIG, push_artefact, push_image, push_index
from tests.support.outside import step
from tests.support.registry import Registry
from tests.support.world import World, assert_says

pytestmark = pytest.mark.docker

ARM: Final = {"os": "linux", "architecture": "arm64"}
ARM_7: Final = {"os": "linux", "architecture": "arm", "variant": "v7"}
NONE: Final = {"os": "unknown", "architecture": "unknown"}


@pytest.fixture(scope="module")
async def shop(world: World) -> dict[str, Any]:
    return await world.live("unsupported", port=8000)


def chart(registry: Registry, repository: str) -> str:
    kinds = ("application/vnd.cncf.helm.config.v1+json",
             "application/vnd.cncf.helm.chart.content.v1.tar+gzip")  # fmt: skip
    return push_artefact(registry, repository, "v1", kinds)


def signature(registry: Registry, repository: str) -> str:
    kinds = (CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json")
    return push_artefact(registry, repository, "v1", kinds, ATTACHED)


def sbom(registry: Registry, repository: str) -> str:
    return push_artefact(registry, repository, "v1", (CONFIG, "text/spdx+json"), ATTACHED)


def plugin(registry: Registry, repository: str) -> str:
    kinds = ("application/vnd.docker.plugin.v1+json",
             "application/vnd.docker.image.rootfs.diff.tar.gzip")  # fmt: skip
    return push_artefact(registry, repository, "v1", kinds)


@pytest.mark.parametrize("artefact", [chart, signature, sbom, plugin])
async def test_an_artefact_that_is_no_image(
    world: World, shop: dict[str, Any], artefact: Callable[[Registry, str], str]
) -> None:
    name = f"artefact-{artefact.__name__}"
    artefact(world.open, name)

    failed = await world.refused(shop, image=f"{world.open.host}/{name}", tag="v1")

    assert_says(
        failed, "image_unsupported", f"{world.open.host}/{name}:v1", "not a container image"
    )
    assert (await step(world.stack, failed["id"], "pull"))["attempts"] == 1


def one(registry: Registry, repository: str) -> str:
    return str(push_image(registry, repository, "v1", ARM)["digest"])


def one_of_dockers(registry: Registry, repository: str) -> str:
    return str(push_image(registry, repository, "v1", ARM_7, docker=True)["digest"])


def several(registry: Registry, repository: str) -> str:
    images = [push_image(registry, repository, f"{number}", platform)
              for number, platform in enumerate((ARM, ARM_7, NONE))]  # fmt: skip
    return push_index(registry, repository, "v1", *images)


def attestations(registry: Registry, repository: str) -> str:
    return push_index(registry, repository, "v1", push_image(registry, repository, "0", NONE))


@pytest.mark.parametrize("by_digest", [False, True])
@pytest.mark.parametrize(
    ("push", "says"),
    [
        (one, "is for linux/arm64; server local is linux/amd64"),
        (one_of_dockers, "is for linux/arm/v7; server local is linux/amd64"),
        (several, "is for linux/arm64, linux/arm/v7; server local is linux/amd64"),
        (attestations, "is not a container image"),
    ],
)
async def test_an_image_of_another_platform(
    world: World,
    shop: dict[str, Any],
    push: Callable[[Registry, str], str],
    says: str,
    by_digest: bool,
) -> None:
    name = f"foreign-{push.__name__.replace('_', '-')}-{by_digest}".lower()
    digest = push(world.open, name)
    tag = f"v1@{digest}" if by_digest else "v1"

    failed = await world.refused(shop, image=f"{world.open.host}/{name}", tag=tag)

    assert_says(failed, "image_unsupported", f"{world.open.host}/{name}:{tag} {says}")
    assert (await step(world.stack, failed["id"], "pull"))["attempts"] == 1
    assert not await step(world.stack, failed["id"], "create")


async def test_an_image_of_another_platform_that_is_on_the_server(
    world: World, shop: dict[str, Any]
) -> None:
    image = f"{world.open.host}/foreign-here"
    push_image(world.open, "foreign-here", "v1", ARM)
    world.engine.images.pull(image, tag="v1")

    failed = await world.refused(shop, image=image, tag="v1", pull="never")

    assert_says(failed, "image_unsupported", f"{image}:v1 is for linux/arm64", "AWEIGH_PLATFORMS")
    await world.refused(shop, image=f"{world.open.host}/shop", tag="v404", pull="if_missing")


@pytest.mark.parametrize("command", [None, ["migrate"]])
async def test_a_program_of_another_platform_in_an_image_that_says_it_is_for_this_one(
    world: World, shop: dict[str, Any], command: list[str] | None
) -> None:
    name = f"foreign-program-{bool(command)}".lower()
    push_image(world.open, name, "v1", {"os": "linux", "architecture": "amd64"})
    change = {"release_command": command}
    await world.stack.call("PATCH", f"/v1/applications/{shop['id']}", json=change)

    failed = await world.refused(shop, image=f"{world.open.host}/{name}", tag="v1")

    says = f"The program of {world.open.host}/{name}:v1 cannot run on server local"
    assert_says(failed, "image_unsupported", says, "exec format error", "linux/amd64")
