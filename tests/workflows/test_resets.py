"""A reset run of a deployment that had ended ends as the record says."""

import asyncio

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError

from aweigh.deployments.deployment import DeploymentState, Reason, RecordedState
from tests.support.stage import Stage, Theatre
from workflows.deployment import DeploymentResult
from workflows.names import DEPLOYMENT_STATE

HAD_SUCCEEDED = RecordedState(DeploymentState.SUCCEEDED, None, "#2 is live now")


async def _shown(stage: Stage, sequence: int) -> tuple[WorkflowExecutionStatus | None, str]:
    described = await stage.deployment(sequence).describe()
    return described.status, described.typed_search_attributes[DEPLOYMENT_STATE]


async def test_a_reset_of_a_deployment_that_had_succeeded_succeeds_without_a_step(
    house: Theatre, stage: Stage
) -> None:
    for sequence in (1, 2):
        await stage.submit(stage.turn(sequence))
        await stage.ended_as(sequence, "succeeded")
    house.records.ended_before.add(f"{stage.name}.1")
    house.records.standings[f"{stage.name}.1"] = HAD_SUCCEEDED
    ran = list(stage.world.ran)

    await stage.reset(1)
    result = await stage.deployment(1).result()

    assert DeploymentResult(**result).detail == HAD_SUCCEEDED.message
    assert await _shown(stage, 1) == (WorkflowExecutionStatus.COMPLETED, "succeeded")
    assert stage.world.ran == ran
    assert stage.world.records[f"{stage.name}.1"] == ["started", "succeeded", "started"]


async def test_a_failing_reset_run_succeeds_where_the_record_does(
    house: Theatre, stage: Stage
) -> None:
    await stage.submit(stage.turn(1))
    await stage.ended_as(1, "succeeded")
    house.records.standings[f"{stage.name}.1"] = HAD_SUCCEEDED
    stage.world.live = f"{stage.name}.2"
    stage.world.user_fault("preflight", Reason.DISK_FULL)

    await stage.reset(1)
    result = await stage.deployment(1).result()

    assert DeploymentResult(**result).detail == HAD_SUCCEEDED.message
    assert await _shown(stage, 1) == (WorkflowExecutionStatus.COMPLETED, "succeeded")


async def test_a_run_that_may_not_start_fails_with_the_recorded_reason(
    house: Theatre, stage: Stage
) -> None:
    house.records.ended_before.add(f"{stage.name}.1")
    house.records.standings[f"{stage.name}.1"] = RecordedState(
        DeploymentState.FAILED, Reason.UNHEALTHY, "health broke"
    )

    await stage.submit(stage.turn(1))
    await stage.lane_ended()

    with pytest.raises(WorkflowFailureError) as failed:
        await stage.deployment(1).result()
    assert str(failed.value.cause) == "unhealthy: health broke"
    assert stage.world.ran == []


async def test_a_reset_of_a_deployment_that_was_superseded_before_its_turn_ends_again(
    house: Theatre, stage: Stage
) -> None:
    held = stage.world.hold("health", f"{stage.name}.1")
    await stage.submit(stage.turn(1))
    await stage.world.reached[f"{stage.name}.1", "health"].wait()
    # The first is still being undone, so the second waits until the third supersedes it.
    undone = stage.world.hold("undo", f"{stage.name}.1")
    await stage.submit(stage.turn(2))
    await stage.cancel_arrived(1)
    await stage.submit(stage.turn(3))
    await stage.ended(2)
    held.set()
    undone.set()
    await stage.ended(1, 3)
    await stage.lane_ended()
    house.records.standings[f"{stage.name}.2"] = RecordedState(
        DeploymentState.FAILED, Reason.SUPERSEDED, "3 took its place"
    )

    await stage.reset(2)

    async with asyncio.timeout(300):
        with pytest.raises(WorkflowFailureError) as failed:
            await stage.deployment(2).result()
    assert str(failed.value.cause) == "superseded: 3 took its place"
    assert stage.world.records[f"{stage.name}.2"] == ["failed"]
    assert stage.world.live == f"{stage.name}.3"
