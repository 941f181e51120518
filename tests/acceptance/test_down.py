"""`aweigh down`: nothing of the stack runs on; purged, nothing of the installation is left."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from examples.demo.image import base_image, make_image
from examples.demo.names import DemoImages
from tests.support.leftovers import remove_leftovers
from tests.support.outside import until
from tests.support.registry import Registry, forget_images, running_registries
from tests.support.stack import Stack, new_stack, stopped_afterwards

pytestmark = pytest.mark.docker


async def down(stack: Stack, *options: str, code: int = 0) -> str:
    """What `aweigh down` said; asserts that it ended so."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", "down", *options, env=stack.environment,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == code, said.decode()
    return said.decode()


def things(engine: docker.DockerClient, *names: str) -> set[str]:
    """Everything on the engine that is named so, or begins so and goes on as a name of ours."""
    begins = tuple(f"{name}{mark}" for name in names for mark in "-/@:")
    images = engine.api.images()
    found = [
        *(one["Names"][0].lstrip("/") for one in engine.api.containers(all=True)),
        *(one["Name"] for one in engine.api.networks()),
        *(one["Name"] for one in engine.api.volumes()["Volumes"] or []),
        *(name for one in images for name in one.get("RepoTags") or []),
        *(name for one in images for name in one.get("RepoDigests") or []),
    ]
    return {one for one in found if one in names or one.startswith(begins)}


@contextmanager
def neighbour(engine: docker.DockerClient, prefix: str, image: str) -> Iterator[set[str]]:
    """What another installation might have, by names that look alike."""
    try:
        engine.volumes.create(f"{prefix}-shop_data")
        engine.networks.create(f"{prefix}-back", labels={"aweigh.instance": "other"})
        engine.images.get(image).tag(f"{prefix}/shop", "1")
        engine.containers.create(image, name=f"{prefix}-shop-1-0")
        yield things(engine, prefix)
    finally:
        remove_leftovers(prefix)


async def deploy_everything(engine: docker.DockerClient, stack: Stack, registry: Registry) -> None:
    """Images that were pulled, that were there before, and the demo's; networks and volumes."""
    for name in ("shop", "kept"):
        app = await stack.create(
            name,
            {"type": "image", "image": f"{registry.host}/{name}", "tag": "v1"},
            domains=[{"host": f"{name}.localhost", "tls": False}],
            networks=["back"],
            volumes=[{"source": "data", "target": "/data"}],
        )
        answer = await stack.deploy(app)
        assert answer.status_code == 200, answer.text
    names = DemoImages(stack.prefix)
    make_image(engine, repository=names.application, tag="v1", base=names.base, environment={})


async def test_purge_removes_everything_of_the_installation_and_nothing_else(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    stack = new_stack(tmp_path)
    with running_registries(tmp_path / "storage") as (registry, _):
        for name in ("shop", "kept"):
            registry.push(engine, name, "v1")
        kept, shop = f"{registry.host}/kept", f"{registry.host}/shop"
        engine.images.pull(kept, tag="v1")
        before = things(engine, kept)
        with neighbour(engine, f"{stack.prefix}2", f"{kept}:v1") as others:
            async with stopped_afterwards(stack):
                await deploy_everything(engine, stack, registry)
                base = engine.images.get(base_image(engine, DemoImages(stack.prefix).base)).id
                assert base is not None
                refused = await down(stack, "--purge", code=1)
                left_alone = things(engine, stack.prefix, shop)
                data, goes_on = stack.data.exists(), stack.pids()

                purged = await down(stack, "--purge", "--yes")

                assert "Nothing was stopped or removed." in refused
                assert goes_on
                assert data
                assert {f"{stack.prefix}-shop-1-0", f"{stack.prefix}-proxy"} <= left_alone
                assert things(engine, stack.prefix, shop) == set(), purged
                assert not stack.data.exists()
                with pytest.raises(docker.errors.ImageNotFound):
                    engine.images.get(base)
                assert things(engine, f"{stack.prefix}2") == others
                assert things(engine, kept) == before
        forget_images(engine, registry.host)


async def kill_at_once(stack: Stack) -> None:
    """Kill the stack, while its API cannot end and keeps its port."""
    os.kill(stack.pids()["api"], signal.SIGSTOP)
    stack.kill("up")
    assert stack.process is not None
    await stack.process.wait()


@pytest.mark.long
async def test_what_a_killed_stack_left_is_ended_by_the_next_one_and_by_down(
    tmp_path: Path,
) -> None:
    stack = new_stack(tmp_path)
    async with stopped_afterwards(stack):
        await kill_at_once(stack)
        await stack.start()
        await kill_at_once(stack)

        ended, again = await down(stack), await down(stack)

        assert "of a stack that was killed" in ended
        assert stack.pids() == {}
        assert "No stack runs" in again


async def test_a_large_log_is_begun_anew(tmp_path: Path) -> None:
    stack = new_stack(tmp_path)
    log = stack.data / "logs" / "api.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * 11_000_000)
    async with stopped_afterwards(stack):

        async def rotated() -> bool:
            return log.stat().st_size < 1_000_000

        await until(rotated)
        assert log.with_name("api.log.1").stat().st_size >= 11_000_000
