"""An application with a long queue does not delay another one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from tests.support.simulated_server import FakeRecords, World, steps
from tests.support.stage import Stage, start_temporal
from worker.control import WORKFLOWS, sandbox
from workflows.deployment import DeploymentRequest, DeploymentWorkflow
from workflows.names import CONTROL_QUEUE, pull_queue, steps_queue, waits_queue
from workflows.policies import share_of

#: How much of one application's is queued before another's comes.
backlogs = pytest.mark.parametrize("backlog", [24, pytest.param(500, marks=pytest.mark.long)])


@pytest.fixture
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server whose control queue only this module serves."""
    async with await start_temporal() as started:
        yield started


async def queued(kind: str, *deployments: WorkflowHandle[Any, Any]) -> None:
    """Wait until each deployment has this activity pending."""
    async with asyncio.timeout(600):
        for one in deployments:
            while kind not in await pending(one):
                await asyncio.sleep(0.05)


async def pending(deployment: WorkflowHandle[Any, Any]) -> list[str]:
    try:
        described = (await deployment.describe()).raw_description
    except RPCError:  # its lane has not started it yet
        return []
    return [one.activity_type.name for one in described.pending_activities]


def stages(environment: WorkflowEnvironment, records: FakeRecords) -> tuple[Stage, Stage]:
    made = [Stage(environment.client, name, World()) for name in ("noisy", "quiet")]
    records.worlds |= {one.name: one.world for one in made}
    return made[0], made[1]


@backlogs
async def test_records_do_not_wait_for_hundreds_of_another_application(
    environment: WorkflowEnvironment, backlog: int
) -> None:
    client, records = environment.client, FakeRecords()
    noisy, quiet = stages(environment, records)
    workflows = Worker(
        client, task_queue=CONTROL_QUEUE, workflows=WORKFLOWS, workflow_runner=sandbox(),
        activities=[records.read], no_remote_activities=True,
    )  # fmt: skip
    # What each lane leads to: of the noisy one's, all but the newest are superseded.
    one_by_one = Worker(
        client, task_queue=CONTROL_QUEUE, max_concurrent_activities=1,
        activities=[records.started, records.standing, records.failed, records.succeeded],
    )  # fmt: skip

    async with workflows:
        for sequence in range(1, backlog + 1):
            await noisy.submit(noisy.turn(sequence))
        await queued("record_failed", *map(noisy.deployment, range(2, backlog)))
        await quiet.submit(quiet.turn(1))
        await queued("record_started", quiet.deployment(1))
        async with one_by_one, asyncio.timeout(300):
            while not quiet.world.records["quiet.1"]:
                await asyncio.sleep(0.005)
            before = sum(map(len, noisy.world.records.values()))

    assert quiet.world.records["quiet.1"] == ["started"]
    assert before < backlog / 4


@backlogs
async def test_steps_do_not_wait_for_hundreds_of_another_application_on_the_same_server(
    environment: WorkflowEnvironment, backlog: int
) -> None:
    client, records = environment.client, FakeRecords()
    noisy, quiet = stages(environment, records)
    control = Worker(
        client, task_queue=CONTROL_QUEUE, workflows=WORKFLOWS, workflow_runner=sandbox(),
        activities=[
            records.read, records.started, records.standing, records.failed, records.succeeded,
        ],
    )  # fmt: skip
    queues = (steps_queue("noisy"), waits_queue("noisy"), pull_queue("noisy"))
    servers = [
        Worker(client, task_queue=queue, activities=steps(noisy.world), max_concurrent_activities=1)
        for queue in queues
    ]

    async with control:
        for sequence in range(1, backlog + 1):
            request = DeploymentRequest(
                f"noisy.{sequence}", "noisy", "noisy", "noisy", sequence, "", proceed=True
            )
            await client.start_workflow(  # more at a time than its lane ever lets proceed
                DeploymentWorkflow.run, request,
                id=noisy.turn(sequence).workflow_id, task_queue=CONTROL_QUEUE,
                priority=share_of("noisy"),
            )  # fmt: skip
        await queued("preflight", *map(noisy.deployment, range(1, backlog + 1)))
        await quiet.submit(replace(quiet.turn(1), server="noisy"))
        await queued("preflight", quiet.deployment(1))
        async with servers[0], servers[1], servers[2]:
            await quiet.ended_as(1, "succeeded")
            ran = list(noisy.world.ran)

    quiets = [place for place, (deployment, _) in enumerate(ran) if deployment == "quiet.1"]
    assert quiets[0] < backlog / 4
    # All of its steps came before the noisy one's first steps were through.
    assert sum(step == "preflight" for _, step in ran[: quiets[-1]]) < backlog
