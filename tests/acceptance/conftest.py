"""What acceptance tests share: one stack's world of registries, and one where things are built.

Fixtures of the package end with its last test: an idle stack takes a fifth of a processor from the
tests that come after.
"""

from collections.abc import AsyncIterator, Iterator

import docker
import pytest

from tests.support.builder import small_builder
from tests.support.building import Builds, building
from tests.support.git_server import GitServer, git_server
from tests.support.images import temporary_repository
from tests.support.stack import Stack, running_stack
from tests.support.world import World, built_world


@pytest.fixture(scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One running stack for all tests that leave it as they found it."""
    async with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="package")
def world(
    engine: docker.DockerClient, stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with built_world(engine, stack, tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture(scope="package")
def builder(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as repository:
        yield small_builder(engine, repository)


@pytest.fixture(scope="package")
def git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with git_server(tmp_path_factory.mktemp("git")) as server:
        yield server


@pytest.fixture(scope="package")
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
