"""The proxy's image and container, on a real engine."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from aweigh.adapters.engine import Engine
from aweigh.adapters.images import Images
from aweigh.adapters.proxy import Proxy, ProxyPlan
from aweigh.adapters.traefik import Traefik
from tests.support.registry import forget_images, running_registries
from tests.support.stack import free_ports, remove_leftovers

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


def proxy_of(plan: ProxyPlan) -> Proxy:
    engine = Engine(SOCKET)
    traefik = Traefik(api_port=plan.api_port, probe_port=plan.probe_port)
    return Proxy(plan, engine, Images(engine), traefik)


@pytest.mark.parametrize("there_before", [False, True])
async def test_an_image_that_was_pulled_has_our_name_only(
    engine: docker.DockerClient, plan: ProxyPlan, tmp_path: Path, there_before: bool
) -> None:
    with running_registries(tmp_path / "storage") as (registry, _):
        registry.push(engine, "traefik", "v9")
        name = f"{registry.host}/traefik:v9"
        if there_before:
            engine.images.pull(name)

        image = await proxy_of(replace(plan, image=name)).image()

        found = engine.images.get(image.id)
        forget_images(engine, registry.host)
    assert found.tags == [name if there_before else f"{plan.name}/traefik:v9"]
    assert len(found.attrs["RepoDigests"]) == there_before
