"""Registries and images as they are on a bad day: each failure says what, where and what to do."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.faulty_proxy import Fault
from tests.support.images import Variant
from tests.support.outside import ask, step
from tests.support.ports import free_ports
from tests.support.registry import USER
from tests.support.world import World, assert_says

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
async def outages(world: World) -> AsyncIterator[dict[str, asyncio.Task[Any]]]:
    """Deployments from registries that are away: they are asked for half a minute, so all of them
    at once, beside the other tests."""
    hosts = {
        "rate limited": world.faulty[Fault.RATE_LIMITED].host,
        "unavailable": world.faulty[Fault.UNAVAILABLE].host,
        "silent": world.faulty[Fault.SILENT].host,
        "down": f"127.0.0.1:{free_ports(1)[0]}",
        "unknown": "registry.invalid",
    }

    async def suffer(name: str, host: str) -> dict[str, Any]:
        application = await world.live(f"outage-{name.replace(' ', '-')}")
        return await world.refused(application, image=f"{host}/shop", tag="v1")

    tasks = {name: asyncio.create_task(suffer(name, host)) for name, host in hosts.items()}
    yield tasks
    for task in tasks.values():
        task.cancel()


@pytest.fixture(scope="module")
async def shop(world: World) -> dict[str, Any]:
    return await world.live("bad-images")


@pytest.mark.usefixtures("outages")  # begins them
async def test_a_missing_tag(world: World, shop: dict[str, Any]) -> None:
    failed = await world.refused(shop, "v404", image=f"{world.open.host}/shop")

    image = f"{world.open.host}/shop:v404"
    assert_says(failed, "image_not_found", image, "check the image's name and tag")


async def test_a_missing_repository(world: World, shop: dict[str, Any]) -> None:
    failed = await world.refused(shop, image=f"{world.open.host}/nobody/knows", tag="v1")

    image = f"{world.open.host}/nobody/knows:v1 from {world.open.host}"
    assert_says(failed, "image_not_found", image, "check the image's name and tag")


@pytest.mark.parametrize("registry", [None, {"username": USER, "password": "wrong-password"}])
async def test_missing_and_wrong_credentials(
    world: World, shop: dict[str, Any], registry: dict[str, str] | None
) -> None:
    failed = await world.refused(shop, image=f"{world.locked.host}/shop", registry=registry)

    assert_says(failed, "registry_auth", f"{world.locked.host}/shop:v1", "set source.registry")
    assert "wrong-password" not in failed["message"]


@pytest.mark.parametrize("fault", [Fault.UNAUTHORIZED, Fault.FORBIDDEN])
async def test_a_registry_that_refuses(world: World, shop: dict[str, Any], fault: Fault) -> None:
    host = world.faulty[fault].host

    failed = await world.refused(shop, image=f"{host}/shop", tag="v1", registry=None)

    assert_says(failed, "registry_auth", f"{host}/shop:v1", "set source.registry")


async def test_plain_http_where_the_engine_expects_tls(world: World, shop: dict[str, Any]) -> None:
    failed = await world.refused(shop, image=f"{world.gateway.host}/shop", tag="v1")

    image = f"{world.gateway.host}/shop:v1"
    assert_says(failed, "registry_unavailable", image, "insecure-registries")


async def test_a_certificate_that_nobody_trusts(world: World, shop: dict[str, Any]) -> None:
    failed = await world.refused(shop, image=f"{world.untrusted.host}/shop", tag="v1")

    image = f"{world.untrusted.host}/shop:v1"
    assert_says(failed, "registry_unavailable", image, "install its certificate on the server")


async def test_a_layer_that_arrives_damaged(world: World, shop: dict[str, Any]) -> None:
    host = world.faulty[Fault.CORRUPT_BLOB].host

    failed = await world.refused(shop, "big", image=f"{host}/shop", tag="v1")

    assert_says(failed, "image_corrupt", f"{host}/shop:big from {host}", "push the image again")


@pytest.mark.long  # the engine tries again by itself for two and a half minutes
@pytest.mark.timeout(400)
async def test_a_connection_that_is_cut_in_every_layer(world: World, shop: dict[str, Any]) -> None:
    host = world.faulty[Fault.CUT_BLOB].host

    failed = await world.refused(shop, "big", image=f"{host}/shop", tag="v1")

    assert_says(failed, "image_corrupt", f"{host}/shop:big from {host}", "push the image again")


async def test_an_image_without_a_command(world: World, shop: dict[str, Any]) -> None:
    world.push("shop", "mute", variant=Variant.NO_COMMAND)

    failed = await world.refused(shop, "mute", image=f"{world.open.host}/shop", tag="v1")

    assert_says(failed, "start_failed", f"{world.open.host}/shop:mute", "`command`")


@pytest.mark.parametrize(
    ("outage", "reason", "advice"),
    [
        ("rate limited", "rate_limited", "wait, or set credentials"),
        ("unavailable", "registry_unavailable", "check that the registry runs"),
        ("silent", "registry_unavailable", "check that the registry runs"),
        ("down", "registry_unavailable", "check that the registry runs"),
        ("unknown", "registry_unavailable", "check that the registry runs"),
    ],
)
async def test_a_registry_that_is_away_is_asked_again_and_then_given_up(
    world: World, outages: dict[str, asyncio.Task[Any]], outage: str, reason: str, advice: str
) -> None:
    failed = await outages[outage]

    assert_says(failed, reason, "/shop:v1 from ", advice)
    assert (await step(world.stack, failed["id"], "pull"))["attempts"] in range(3, 7)
    assert (await ask(world.stack, f"{failed['application']['name']}.localhost")).is_success
