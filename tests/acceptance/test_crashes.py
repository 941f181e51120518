"""`kill -9` at every step of a deployment: it goes on where it was, and nothing else notices."""

import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import docker
import pytest
from temporalio.client import AsyncActivityHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from tests.support.images import temporary_repository
from tests.support.load import Run, running
from tests.support.moment import (
    Moment,
    container_appears,
    file_appears,
    go_on,
    stand_still,
    step_begins,
    stopping,
)
from tests.support.outside import swept, until
from tests.support.shop import Shop, containers_of, fast_flows, lost, slow_flow, unfinished_files
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.docker

STEPS = ("preflight", "pull", "create", "health", "switch", "drain", "remove", "sweep")


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        yield name


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One that nobody else's tests are on."""
    async with running_stack(tmp_path_factory.mktemp("crashes")) as own:
        yield own


@asynccontextmanager
async def loaded_shop(
    engine: docker.DockerClient, stack: Stack, repository: str, name: str, versions: Sequence[str]
) -> AsyncIterator[tuple[Shop, Run]]:
    """An application that is live at the first version, and asked until the block ends.

    The block makes the others live, and no request may be lost over it.
    """
    shop = Shop(stack, name, repository)
    for version in versions:
        shop.make(engine, version, ON_SIGTERM="exit")
    await shop.open(versions[0], stop_grace=1)
    async with running(shop.load([*fast_flows(30), slow_flow(2, 2)])) as run:
        yield shop, run
    assert run.failed == 0, lost(run.report())
    assert set(run.versions) == set(versions)


async def crash_at(stack: Stack, moment: Moment) -> None:
    """Start the stack, and kill all of it at that moment."""
    await stack.launch()
    async with stopping(stack, moment) as stopped:
        await stopped()
    await stack.crash()


async def workflow_ends(stack: Stack, deployment: dict[str, Any]) -> None:
    client = await stack.temporal()
    await client.get_workflow_handle(deployment["workflow"]["id"]).result()


async def assert_done(
    engine: docker.DockerClient, shop: Shop, deployment: dict[str, Any], killed: set[str]
) -> None:
    """It succeeded, the killed steps were taken up again, and nothing is left over."""
    await swept(shop.stack, deployment["id"])  # reported in the background
    end = await shop.stack.deployment(deployment["id"])
    live = (await shop.stack.call("GET", f"/v1/applications/{shop.name}")).json()["live"]
    again = {step["name"] for step in end["steps"] if step["attempts"] > 1}
    assert (end["state"], live["deployment"]) == ("succeeded", end["id"])
    assert again >= killed
    assert {step["state"] for step in end["steps"]} == {"succeeded"}
    assert containers_of(engine, shop.stack, shop.name) == [f"{shop.name}-{end['sequence']}-0"]
    assert unfinished_files(shop.stack) == []


async def accepted(shop: Shop, version: str, *waiting: str) -> dict[str, Any]:
    """A deployment that begins as soon as these parts of the stack go on."""
    stand_still(shop.stack, *waiting)
    return dict((await shop.stack.deploy(shop.application, version, wait=0)).json())


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("whole", ("create", "switch", "drain")),
        pytest.param("whole-long", STEPS, marks=pytest.mark.long),
    ],
    ids=["some", "every"],
)
async def test_the_whole_stack_is_killed_at_steps_of_one_deployment(
    engine: docker.DockerClient, stack: Stack, repository: str, name: str, steps: Sequence[str]
) -> None:
    async with loaded_shop(engine, stack, repository, name, ["v1", "v2"]) as (shop, _):
        deployment = await accepted(shop, "v2", "control", "server")
        await stack.crash()
        for step in steps:
            await crash_at(stack, step_begins(stack, deployment["id"], step))
            if step == "create":
                await crash_at(stack, container_appears(f"{stack.prefix}-{name}-2-0"))
            if step == "switch":
                await crash_at(stack, file_appears(shop.route))
        await stack.start()
        await workflow_ends(stack, deployment)
        await assert_done(engine, shop, deployment, killed=set(steps))
        assert shop.is_committed("v2")


async def kill_alone(
    engine: docker.DockerClient, stack: Stack, repository: str, part: str, steps: Sequence[str]
) -> None:
    """One deployment for each step, in which this part of the stack is killed as it begins."""
    name, versions = f"{part}-{len(steps)}", [f"v{number}" for number in range(len(steps) + 1)]
    async with loaded_shop(engine, stack, repository, name, versions) as (shop, run):
        for step, version in zip(steps, versions[1:], strict=True):
            deployment = await accepted(shop, version, "server")
            async with stopping(stack, step_begins(stack, deployment["id"], step)) as stopped:
                go_on(stack)
                await stopped()
            stack.kill(part)
            go_on(stack)
            await stack.ready()
            await workflow_ends(stack, deployment)
            await assert_done(engine, shop, deployment, {step} if part == "server" else set())
            run.allow(version)


@pytest.mark.parametrize(
    ("part", "steps"),
    [("server", ("create", "switch", "drain")), ("control", ("switch",)), ("api", ("switch",))],
    ids=["server", "control", "api"],
)
async def test_one_part_is_killed_where_most_depends_on_it(
    engine: docker.DockerClient, stack: Stack, repository: str, part: str, steps: Sequence[str]
) -> None:
    await kill_alone(engine, stack, repository, part, steps)


@pytest.mark.long
@pytest.mark.parametrize("part", ["server", "control", "api", "temporal"])
async def test_one_part_is_killed_at_every_step(
    engine: docker.DockerClient, stack: Stack, repository: str, part: str
) -> None:
    await kill_alone(engine, stack, repository, part, STEPS)


async def test_a_switch_that_nobody_heard_of_is_seen_through(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    """The worker dies as the file is committed, and is away for as long as anybody waits."""
    async with loaded_shop(engine, stack, repository, "unheard", ["v1", "v2"]) as (shop, run):
        deployment = await accepted(shop, "v2", "server")
        async with stopping(stack, file_appears(shop.route)) as stopped:
            go_on(stack)
            await stopped()
        run.allow("v2")
        pids = stack.pids()
        os.kill(pids["up"], signal.SIGSTOP)  # so that it stays away
        stack.kill("server")
        go_on(stack)
        handle = (await stack.temporal()).get_async_activity_handle(
            workflow_id=deployment["workflow"]["id"], run_id=None, activity_id="switch"
        )
        away = ApplicationError("nobody answers", type="server_offline", non_retryable=True)
        await until(lambda: has_failed(handle, away))
        os.kill(pids["up"], signal.SIGCONT)
        await stack.ready()
        await workflow_ends(stack, deployment)
        await swept(stack, deployment["id"])
        end = await stack.deployment(deployment["id"])
        assert end["state"] == "succeeded"
        assert {step["name"] for step in end["steps"]} >= {"undo", "drain", "remove"}
        assert containers_of(engine, stack, "unheard") == [f"unheard-{end['sequence']}-0"]


async def has_failed(activity: AsyncActivityHandle, error: ApplicationError) -> bool:
    """Fail it as Temporal's own clock would; not before Temporal goes on."""
    with suppress(RPCError):
        await activity.fail(error)
        return True
    return False
