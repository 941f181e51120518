"""Installations that start on one engine at the same time."""

import asyncio
import secrets

import docker
import pytest

from aweigh.containers.networks import Networks
from aweigh.engine.engine import Engine
from aweigh.engine.naming import Names

pytestmark = pytest.mark.docker
SOCKET = "unix:///var/run/docker.sock"
INSTALLATIONS = 4


async def test_each_gets_a_subnet_of_its_own(engine: docker.DockerClient) -> None:
    prefixes = [f"t{secrets.token_hex(3)}" for _ in range(INSTALLATIONS)]
    try:
        subnets = await asyncio.gather(
            *(Networks(Engine(SOCKET), one, one).subnet(Names(one), "") for one in prefixes)
        )
    finally:
        for one in prefixes:
            for network in engine.networks.list(names=[f"^{Names(one).bridge}$"]):
                network.remove()

    assert len({one.network for one in subnets}) == INSTALLATIONS
