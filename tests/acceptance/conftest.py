"""What acceptance tests share: one stack's world of registries, and registries that are away."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import docker
import pytest

from tests.support.builder import small_builder
from tests.support.building import Builds, building
from tests.support.faulty_proxy import Fault
from tests.support.git_server import GitServer, git_server
from tests.support.images import temporary_repository
from tests.support.stack import Stack, free_ports, running_stack
from tests.support.world import World, built_world


@pytest.fixture(scope="session")
def world(
    engine: docker.DockerClient, stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with built_world(engine, stack, tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture(scope="session")
async def outages(world: World) -> AsyncIterator[dict[str, asyncio.Task[Any]]]:
    """Deployments from registries that are away: they take their time, so all of them at once.

    Begun by one file of tests and looked at by a later one.
    """
    hosts = {
        "rate limited": world.faulty[Fault.RATE_LIMITED].host,
        "unavailable": world.faulty[Fault.UNAVAILABLE].host,
        "silent": world.faulty[Fault.SILENT].host,
        "down": f"127.0.0.1:{free_ports(1)[0]}",
        "unknown": "registry.invalid",
    }

    async def suffer(name: str, host: str) -> tuple[dict[str, Any], float]:
        application = await world.live(f"outage-{name.replace(' ', '-')}")
        began = time.monotonic()
        failed = await world.refused(application, image=f"{host}/shop", tag="v1")
        return failed, time.monotonic() - began

    tasks = {name: asyncio.create_task(suffer(name, host)) for name, host in hosts.items()}
    yield tasks
    for task in tasks.values():
        task.cancel()


@pytest.fixture(scope="session")
def builder(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as repository:
        yield small_builder(engine, repository)


@pytest.fixture(scope="session")
def git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with git_server(tmp_path_factory.mktemp("git")) as server:
        yield server


@pytest.fixture(scope="session")
async def builds(
    engine: docker.DockerClient,
    git: GitServer,
    builder: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Builds]:
    """One stack for everything that is built, and leaves nothing behind."""
    async with running_stack(
        tmp_path_factory.mktemp("builds"), **building(builder), AWEIGH_KEEP_RELEASES="2"
    ) as running:
        yield Builds(running, git, builder, engine)
