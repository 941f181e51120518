"""The proxy's image and container, on a real engine."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.engine import Engine
from aweigh.engine.naming import SERVER_LOCK
from aweigh.images.images import Images
from aweigh.routing.proxy import Proxy, ProxyPlan, digest_of
from aweigh.routing.proxy_guard import ProxyGuard
from aweigh.routing.route_files import RouteFiles
from aweigh.routing.traefik import Traefik
from aweigh.servers.locks import Locks
from tests.support.faulty_proxy import Fault, faulty_proxy
from tests.support.leftovers import remove_leftovers
from tests.support.outside import named
from tests.support.ports import free_ports
from tests.support.registry import forget_images, running_registries

pytestmark = pytest.mark.docker
SOCKET = "unix:///var/run/docker.sock"


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[ProxyPlan]:
    prefix = f"t{secrets.token_hex(3)}"
    web, secure, api, probe = free_ports(4)
    yield ProxyPlan(
        name=f"{prefix}-proxy", instance=prefix, image="127.0.0.1:1/traefik:v0", web_port=web,
        web_secure_port=secure, api_port=api, probe_port=probe, routes=tmp_path / "routes",
        certificates=tmp_path / "certificates",
    )  # fmt: skip
    remove_leftovers(prefix)


@asynccontextmanager
async def proxy_of(plan: ProxyPlan) -> AsyncIterator[Proxy]:
    engine = Engine(SOCKET)
    traefik = Traefik(api_port=plan.api_port, probe_port=plan.probe_port)
    try:
        yield Proxy(plan, engine, Images(engine), traefik)
    finally:
        await traefik.close()


async def ensure(plan: ProxyPlan) -> None:
    async with proxy_of(plan) as proxy:
        await proxy.prepare()
        await proxy.ensure()


async def recreate(plan: ProxyPlan) -> None:
    async with proxy_of(plan) as proxy:
        await proxy.image()
        await proxy.recreate()


@pytest.mark.parametrize("there_before", [False, True])
async def test_an_image_that_was_pulled_has_our_name_only(
    engine: docker.DockerClient, plan: ProxyPlan, tmp_path: Path, there_before: bool
) -> None:
    with running_registries(tmp_path / "storage") as (registry, _):
        registry.push(engine, "traefik", "v9")
        name = f"{registry.host}/traefik:v9"
        if there_before:
            engine.images.pull(name)

        async with proxy_of(replace(plan, image=name)) as proxy:
            image = await proxy.image()

        found = engine.images.get(image.id)
        forget_images(engine, registry.host)
    assert found.tags == [name if there_before else f"{plan.name}/traefik:v9"]
    assert len(found.attrs["RepoDigests"]) == there_before


def proxies(engine: docker.DockerClient, plan: ProxyPlan) -> list[tuple[str, str]]:
    found = named(engine, f"{plan.name}$")
    return [(str(one.id), one.status) for one in found]


async def test_changed_settings_are_refused_until_it_is_recreated(
    engine: docker.DockerClient, plan: ProxyPlan
) -> None:
    await ensure(plan)
    before = proxies(engine, plan)
    changed = replace(plan, api_port=free_ports(1)[0], acme_email="ops@example.com")

    with pytest.raises(StepFailed, match="aweigh proxy recreate"):
        await ensure(changed)
    await ensure(plan)
    left_alone = proxies(engine, plan)
    await recreate(changed)

    assert left_alone == before
    await ensure(changed)
    assert proxies(engine, plan) != before
    with pytest.raises(StepFailed, match="aweigh proxy recreate"):
        await ensure(plan)


async def test_a_taken_port_leaves_the_old_one_as_it_was(
    engine: docker.DockerClient, plan: ProxyPlan
) -> None:
    await ensure(plan)
    before = proxies(engine, plan)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        changed = replace(plan, web_port=taken.getsockname()[1])

        with pytest.raises(StepFailed, match="AWEIGH_WEB_PORT"):
            await recreate(changed)

    assert proxies(engine, plan) == before
    await ensure(plan)


@pytest.mark.parametrize(
    "change",
    [{"web_port": 81}, {"image": "traefik:v4"}, {"acme_email": "ops@example.com"},
     {"acme_ca_file": Path("/ca.pem")}, {"upload_seconds": 60},
     {"trusted_proxies": ("10.0.0.0/8",)}],
)  # fmt: skip
def test_every_change_is_told(plan: ProxyPlan, change: dict[str, Any]) -> None:
    assert digest_of(replace(plan, **change)) != digest_of(plan)


async def test_a_registry_that_trickles_holds_up_nobody_else(
    engine: docker.DockerClient, plan: ProxyPlan, tmp_path: Path
) -> None:
    """While the proxy's image is pulled, the server's lock is free; and a timeout ends the pull."""
    locks = Locks(tmp_path / "locks")
    (tmp_path / "locks").mkdir()
    with running_registries(tmp_path / "storage") as (registry, _):
        registry.push(engine, "traefik", "v9", layer_bytes=30_000_000)
        with faulty_proxy(registry, Fault.SLOW_BLOB) as trickling:
            slow = replace(plan, image=f"{trickling.host}/traefik:v9")
            traefik = Traefik(api_port=slow.api_port, probe_port=slow.probe_port)
            own = Engine(SOCKET)
            proxy = Proxy(slow, own, Images(own), traefik, patience=3)
            guard = ProxyGuard(proxy, RouteFiles(tmp_path / "routes"), locks)
            installing = asyncio.create_task(guard.ensure())
            while not any("/blobs/" in path for _, path in trickling.requests):
                await asyncio.sleep(0.01)

            async with locks.holding(SERVER_LOCK):  # as a switch does
                assert not installing.done()
                assert not trickling.abandoned.is_set()

            assert await asyncio.to_thread(trickling.abandoned.wait, 60)
            await installing
            await traefik.close()
        forget_images(engine, registry.host)
