"""Resets in Temporal that go for something that is live, or that made way."""

import asyncio
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus

from examples.demo.image import make_image
from tests.support.images import temporary_repository
from tests.support.outside import ask, containers
from tests.support.resetting import reset_to, reset_to_start
from tests.support.stack import Stack
from workflows.names import DEPLOYMENT_STATE

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        for tag, behaviour in (
            ("v1", {}),
            ("broken", {"EXIT_CODE": "1"}),
            ("slow", {"BOOT_SECONDS": "6"}),
        ):
            make_image(engine, repository=name, tag=tag, environment={"VERSION": tag, **behaviour})
        yield name


async def run_closed(stack: Stack, deployment_id: str, run_id: str) -> WorkflowExecutionDescription:
    """Wait until the run that follows this one has ended, whichever way."""
    client = await stack.temporal()
    handle = client.get_workflow_handle(await stack.workflow_of(deployment_id))
    async with asyncio.timeout(300):
        while True:
            described = await handle.describe()
            if described.run_id != run_id and described.close_time:
                return described
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("step", ["health", "switch"])
async def test_a_live_release_that_is_gated_again_and_fails_stays(
    engine: docker.DockerClient, stack: Stack, repository: str, step: str
) -> None:
    name = f"reset-{step}"
    app = await stack.create(
        name, {"type": "image", "image": repository, "tag": "v1"},
        domains=[{"host": f"{name}.localhost", "tls": False}],
        health_check={"type": "http", "path": "/healthz", "deadline": 2},
    )  # fmt: skip
    live = (await stack.deploy(app)).json()
    [container] = containers(engine, stack.prefix, name)
    container.kill("SIGSTOP")

    await reset_to(stack, live["id"], step)
    await run_closed(stack, live["id"], live["workflow"]["run_id"])
    container.kill("SIGCONT")

    assert [one.id for one in containers(engine, stack.prefix, name)] == [container.id]
    assert (await ask(stack, f"{name}.localhost")).text == "demo v1\n"
    assert (await stack.deployment(live["id"]))["state"] == "succeeded"


async def test_what_made_way_for_a_newer_one_is_not_started_by_an_older_ones_undo(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    volumes: list[dict[str, Any]] = [{"source": "d", "target": "/data", "exclusive": True}]
    app = await stack.create(
        "made-way", {"type": "image", "image": repository, "tag": "v1"}, volumes=volumes
    )
    live = (await stack.deploy(app)).json()
    older = (await stack.deploy(app, "broken")).json()["deployment"]
    newer = (await stack.deploy(app, "slow", wait=0)).json()
    parked = f"{stack.prefix}-made-way-{live['sequence']}-0"
    async with asyncio.timeout(300):
        while engine.containers.get(parked).status == "running":
            await asyncio.sleep(0.05)

    await reset_to(stack, older["id"], "health")
    await run_closed(stack, older["id"], older["workflow"]["run_id"])

    assert (await stack.deployment(newer["id"]))["state"] == "started"
    assert engine.containers.get(parked).status == "exited"
    assert (await stack.deployment(newer["id"], wait=600))["state"] == "succeeded"
    assert (await stack.deployment(older["id"]))["reason"] == "superseded"


async def recorded(stack: Stack, deployment_id: str) -> dict[str, Any]:
    """What the API shows, but for the sweep, which is reported after the deployment's end."""
    shown = await stack.deployment(deployment_id)
    return shown | {"steps": [one for one in shown["steps"] if one["name"] != "sweep"]}


async def test_resets_of_what_had_succeeded_end_as_succeeded_and_change_nothing(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    app = await stack.create("reset-old", {"type": "image", "image": repository, "tag": "v1"})
    older, live = [(await stack.deploy(app)).json() for _ in range(2)]
    running = [one.id for one in containers(engine, stack.prefix, "reset-old")]
    records = [await recorded(stack, one["id"]) for one in (older, live)]

    for deployment, step in (
        (older, "sweep"), (older, "record_succeeded"), (older, "drain"), (older, "switch"),
        (older, "health"), (older, "preflight"), (older, ""), (live, ""),
    ):  # fmt: skip
        handle = (await stack.temporal()).get_workflow_handle(
            await stack.workflow_of(deployment["id"])
        )
        before = (await handle.describe()).run_id
        if step:
            await reset_to(stack, deployment["id"], step)
        else:
            await reset_to_start(stack, deployment["id"])
        described = await run_closed(stack, deployment["id"], before)

        said = described.typed_search_attributes[DEPLOYMENT_STATE]
        assert (step, described.status, said) == (
            step, WorkflowExecutionStatus.COMPLETED, "succeeded"
        )  # fmt: skip

    assert [one.id for one in containers(engine, stack.prefix, "reset-old")] == running
    assert [await recorded(stack, one["id"]) for one in (older, live)] == records
