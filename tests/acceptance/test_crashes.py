"""`kill -9` at every step of a deployment: it goes on where it was, and nothing else notices."""

import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import docker
import pytest

from cli.demo.load import Run, running
from tests.support.images import temporary_repository
from tests.support.moment import Moment, engine_does, file_appears, stopping
from tests.support.shop import Shop, containers_of, fast_flows, lost, slow_flow, unfinished_files
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        yield name


def step_begins(stack: Stack, deployment_id: str, step: str) -> Moment:
    """A server worker writes its steps to disk before it does them."""
    return file_appears(stack.data / "server" / "journal" / deployment_id, f"{step}.step")


@asynccontextmanager
async def standing_still(stack: Stack, *parts: str) -> AsyncIterator[None]:
    pids = stack.pids()
    for part in parts:
        os.kill(pids[part], signal.SIGSTOP)
    yield
    for part in parts:
        os.kill(pids[part], signal.SIGCONT)


async def crash_at(stack: Stack, moment: Moment) -> None:
    """Start the stack, and kill all of it at that moment."""
    began = time.monotonic()
    async with stopping(stack.children, moment) as stopped:
        await stack.launch()
        await stopped()
    print("  crash after", round(time.monotonic() - began, 1))
    await stack.crash()


async def test_the_whole_stack_is_killed_at_every_step(
    engine: docker.DockerClient, repository: str, tmp_path: Path
) -> None:
    async with running_stack(tmp_path) as stack:
        shop = Shop(stack, "shop", repository)
        for version in ("v1", "v2"):
            shop.make(engine, version, ON_SIGTERM="exit")
        await shop.open("v1", stop_grace=1)
        async with running(shop.load([*fast_flows(100), slow_flow(2, 2)])) as run:
            async with standing_still(stack, "control", "server"):
                deployment = (await stack.deploy(shop.application, "v2", wait=0)).json()
                await stack.crash()
            began = time.monotonic()
            for step in ("preflight", "pull", "create"):
                print(step)
                await crash_at(stack, step_begins(stack, deployment["id"], step))
            await crash_at(stack, engine_does("create", f"{stack.prefix}-shop-2-0"))
            for step in ("health", "switch"):
                print(step)
                await crash_at(stack, step_begins(stack, deployment["id"], step))
            await crash_at(stack, file_appears(shop.route.parent, shop.route.name))
            for step in ("drain", "remove", "sweep"):
                print(step)
                await crash_at(stack, step_begins(stack, deployment["id"], step))
            await stack.start()
            print("up")
            temporal = await stack.temporal()
            await temporal.get_workflow_handle(f"deployment/{deployment['id']}").result()
            print("end", time.monotonic() - began)
            end = await stack.deployment(deployment["id"])
        print(run.sent, run.failed, run.versions, [(s["name"], s["attempts"], s["state"], s["detail"]) for s in end["steps"]])
        assert run.failed == 0, lost(run.report())
        assert containers_of(engine, stack, "shop") == ["shop-2-0"]
        assert unfinished_files(stack) == []
