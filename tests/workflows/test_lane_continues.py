"""A lane that is never idle continues as new, and loses none of its children."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus

from aweigh.deployments.application import Policy
from aweigh.deployments.deployment import Reason
from tests.support.stage import Stage, start_temporal, theatre
from workflows import policies

#: Events after which Temporal suggests to continue as new; 4 096 by default.
SUGGESTED_AT = 30


@pytest.fixture(scope="module")
async def stages() -> AsyncIterator[list[Stage]]:
    """Stages on a server that suggests it early; two applications."""
    flags = {"limit.historyCount.suggestContinueAsNew": str(SUGGESTED_AT)}
    async with (
        await start_temporal(flags) as started,
        theatre(started.client) as house,
        house.stage() as one,
        house.stage() as other,
        house.stage() as third,
    ):
        yield [one, other, third]


async def runs_of(stage: Stage) -> list[int]:
    """How many events each run of the lane has."""
    runs = stage.client.list_workflows(f"WorkflowId = '{stage.lane_id}'")
    return [run.history_length async for run in runs]


async def continued(stage: Stage) -> None:
    """Wait until the lane has continued as new."""
    async with asyncio.timeout(300):
        while True:
            handle = stage.client.get_workflow_handle(stage.lane_id)
            first = await handle.describe()
            if first.raw_description.workflow_execution_info.first_run_id != first.run_id:
                return
            await asyncio.sleep(0.05)


async def fill(stage: Stage, sequence: int, times: int) -> None:
    """Repeat one submission, as the relay does, until the history is long."""
    for _ in range(times):
        await stage.submit(stage.turn(sequence, policy=Policy.QUEUE))


async def test_the_next_run_of_a_lane_waits_for_the_running_child_of_the_last(
    stages: list[Stage],
) -> None:
    stage = stages[0]
    held = stage.world.hold("health", f"{stage.name}.1")
    await stage.submit(stage.turn(1, policy=Policy.QUEUE))
    await stage.world.reached[f"{stage.name}.1", "health"].wait()
    await stage.submit(stage.turn(2, policy=Policy.QUEUE))
    await fill(stage, 2, SUGGESTED_AT)
    await continued(stage)

    await stage.submit(stage.turn(3, policy=Policy.QUEUE))
    await stage.ended(2)
    assert stage.world.live is None
    held.set()
    await stage.ended(1, 3)
    await stage.lane_ended()

    assert stage.world.switches == [1, 3]
    assert stage.world.failures[f"{stage.name}.2"].reason is Reason.SUPERSEDED
    assert stage.world.failures[f"{stage.name}.2"].superseded_by == f"{stage.name}.3"
    assert stage.world.most_inside == 1


async def test_a_child_terminated_after_its_lane_continued_as_new_blocks_nothing(
    stages: list[Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(minutes=1) > policies.CHILD_CHECK_INTERVAL
    monkeypatch.setattr(policies, "CHILD_CHECK_INTERVAL", timedelta(seconds=1))
    stage = stages[1]
    stage.world.hold("health", f"{stage.name}.1")
    await stage.submit(stage.turn(1, policy=Policy.QUEUE))
    await stage.world.reached[f"{stage.name}.1", "health"].wait()
    await stage.submit(stage.turn(2, policy=Policy.QUEUE))
    await fill(stage, 2, SUGGESTED_AT)
    await continued(stage)

    await stage.deployment(1).terminate()
    await stage.ended(2)
    await stage.lane_ended()

    assert stage.world.live == f"{stage.name}.2"


@pytest.mark.parametrize("count", [24, pytest.param(3000, marks=pytest.mark.long)])
async def test_deployments_without_a_pause_are_ordered_and_all_recorded(
    stages: list[Stage], count: int
) -> None:
    stage = stages[2]
    first = 1 if count < 100 else 1000
    numbers = range(first, first + count)
    for number in numbers:
        await stage.submit(stage.turn(number))
        if number % 8 == 0:  # as quick as the server takes them, and yet some of them begin
            await stage.world.reached[f"{stage.name}.{number}", "preflight"].wait()
    await stage.ended(*numbers, within=3000)
    await stage.lane_ended()

    for number in numbers:
        records = stage.world.records[f"{stage.name}.{number}"]
        assert [one for one in records if one != "started"] in (["succeeded"], ["failed"])
    assert stage.world.live == f"{stage.name}.{numbers[-1]}"
    assert stage.world.switches == sorted(set(stage.world.switches))
    assert stage.world.most_inside == 1
    described = await stage.lane().describe()
    assert described.status is WorkflowExecutionStatus.COMPLETED
    lengths = await runs_of(stage)
    assert len(lengths) > 1
    assert max(lengths) < 50 * SUGGESTED_AT
