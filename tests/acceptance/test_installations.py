"""Two installations on one engine, two workers of one server: neither takes what is another's."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import docker
import pytest

from examples.demo.image import make_image
from tests.support.command_line import aweigh
from tests.support.images import temporary_repository
from tests.support.outside import ask, containers, swept, until
from tests.support.reconciling import reconcile
from tests.support.stack import Stack, new_stack, running_stack

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        for version in ("v1", "v2"):
            make_image(engine, repository=name, tag=version, environment={"VERSION": version})
        yield name


@pytest.fixture(scope="module")
async def neighbour(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with running_stack(tmp_path_factory.mktemp("neighbour")) as running:
        yield running


def images(engine: docker.DockerClient, stack: Stack) -> set[str]:
    tags = [tag for image in engine.api.images() for tag in image["RepoTags"] or []]
    return {tag for tag in tags if tag.startswith(f"{stack.prefix}/")}


async def test_applications_of_one_name_stay_apart(
    engine: docker.DockerClient, stack: Stack, neighbour: Stack, repository: str
) -> None:
    source = {"type": "image", "image": repository, "tag": "v1"}
    settings = {
        "domains": [{"host": "twin.localhost", "tls": False}],
        "volumes": [{"source": "data", "target": "/data"}],
        "networks": ["twin-back"],
    }
    ours = await stack.create("twin", source, **settings)
    theirs = await neighbour.create("twin", source, **settings)
    await asyncio.gather(stack.deploy(ours, "v1"), neighbour.deploy(theirs, "v1"))
    second = (await neighbour.deploy(theirs, "v2")).json()
    await swept(neighbour, second["id"])

    assert "v1" in (await ask(stack, "twin.localhost")).text
    assert "v2" in (await ask(neighbour, "twin.localhost")).text
    await stack.call("DELETE", f"/v1/applications/{ours['id']}?volumes=true")
    await stack.until_gone(ours)
    await reconcile(stack)
    assert "v2" in (await ask(neighbour, "twin.localhost")).text
    [container] = containers(engine, neighbour.prefix, "twin")
    assert container.name == f"{neighbour.prefix}-twin-2-0"
    assert engine.volumes.get(f"{neighbour.prefix}-twin_data")
    assert engine.networks.list(names=[f"{neighbour.prefix}-twin-back"])
    assert f"{neighbour.prefix}/twin:2" in images(engine, neighbour)


async def test_one_that_was_refused_a_prefix_purges_nothing_of_its_owner(
    engine: docker.DockerClient, stack: Stack, repository: str, tmp_path: Path
) -> None:
    app = await stack.create("owner", {"type": "image", "image": repository, "tag": "v1"})
    await stack.deploy(app)
    before = images(engine, stack)
    late = new_stack(tmp_path, AWEIGH_PREFIX=stack.prefix)
    await late.launch()
    assert late.process is not None
    assert await late.process.wait() == 3, late.output()
    assert "another installation" in late.output()

    ended = await aweigh("down", "--purge", "--yes", **late.environment)

    assert ended.code == 0, ended.errors
    assert f"kept the images under {stack.prefix}/" in ended.output
    assert images(engine, stack) == before
    assert not late.data.exists()
    assert len(containers(engine, stack.prefix, "owner")) == 1
    await late.client.aclose()


async def test_a_second_worker_of_a_server_waits_until_the_first_is_gone(
    stack: Stack, repository: str, tmp_path: Path
) -> None:
    shutil.copytree(stack.data / "tokens", tmp_path / "tokens")
    log = tmp_path / "log"
    with log.open("wb") as output:
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli.main", "worker", "server", stdout=output, stderr=output,
            env=stack.environment | {"AWEIGH_DATA": str(tmp_path)},
        )  # fmt: skip

    async def is_refused() -> bool:
        return "is held by another server worker" in log.read_text()

    try:
        await until(is_refused)
        app = await stack.create("one-worker", {"type": "image", "image": repository, "tag": "v1"})
        assert (await stack.deploy(app)).status_code == 200
        assert second.returncode is None
    finally:
        second.kill()
        await second.wait()
