"""The lane: one at a time, newest wins, nothing lost."""

import asyncio
import random

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.inputs import RemovalRecord
from aweigh.domain.application import Policy
from aweigh.domain.deployment import Reason
from tests.support.stage import Stage


async def test_a_newer_deployment_supersedes_a_running_one(stage: Stage) -> None:
    stage.world.hold("health", f"{stage.name}.1")
    await stage.submit(stage.turn(1))
    await stage.world.reached[f"{stage.name}.1", "health"].wait()

    await stage.submit(stage.turn(2))
    await stage.ended(1, 2)

    failure = stage.world.failures[f"{stage.name}.1"]
    assert (failure.reason, failure.superseded_by) == (Reason.SUPERSEDED, f"{stage.name}.2")
    assert stage.world.containers == {f"{stage.name}.2"}
    assert stage.world.most_inside == 1


async def test_with_the_queue_policy_the_running_one_finishes_and_the_newest_is_next(
    stage: Stage,
) -> None:
    held = stage.world.hold("health", f"{stage.name}.1")
    await stage.submit(stage.turn(1, policy=Policy.QUEUE))
    await stage.world.reached[f"{stage.name}.1", "health"].wait()
    for sequence in (2, 3):
        await stage.submit(stage.turn(sequence, policy=Policy.QUEUE))
    await stage.ended(2)

    held.set()
    await stage.ended(1, 3)

    assert stage.world.switches == [1, 3]
    assert stage.world.failures[f"{stage.name}.2"].superseded_by == f"{stage.name}.3"


async def test_sequence_counts_not_arrival(stage: Stage) -> None:
    held = stage.world.hold("pull", f"{stage.name}.5")
    await stage.submit(stage.turn(5))
    await stage.world.reached[f"{stage.name}.5", "pull"].wait()

    await stage.submit(stage.turn(4))
    await stage.ended(4)
    held.set()
    await stage.ended(5)

    assert stage.world.steps_of(f"{stage.name}.4") == []
    assert stage.world.records[f"{stage.name}.4"] == ["failed"]
    assert stage.world.failures[f"{stage.name}.4"].reason is Reason.SUPERSEDED
    assert stage.world.live == f"{stage.name}.5"


async def test_of_fifty_at_once_the_newest_is_live_and_at_most_two_switch(stage: Stage) -> None:
    await asyncio.gather(*(stage.submit(stage.turn(number)) for number in range(1, 51)))
    await stage.ended(*range(1, 51))

    ends = [stage.world.records[f"{stage.name}.{number}"][-1] for number in range(1, 51)]
    assert stage.world.live == f"{stage.name}.50"
    assert len(stage.world.switches) <= 2
    assert ends.count("succeeded") == len(stage.world.switches)
    assert stage.world.containers == {f"{stage.name}.50"}
    assert stage.world.most_inside == 1


async def test_repeated_submissions_change_nothing(stage: Stage) -> None:
    held = stage.world.hold("pull")
    for _ in range(3):
        await stage.submit(stage.turn(1))
    await stage.world.reached["", "pull"].wait()
    await stage.submit(stage.turn(1))
    held.set()
    await stage.ended(1)
    await stage.lane_ended()

    assert stage.world.records[f"{stage.name}.1"] == ["started", "succeeded"]
    assert stage.world.steps_of(f"{stage.name}.1").count("pull") == 1


async def test_nothing_is_lost_around_the_idle_close(stage: Stage) -> None:
    """Signals at the moment the lane closes, with a fifth of them delivered twice."""
    chance = random.Random(7)  # noqa: S311 (a stress test, not a secret)
    for number in range(1, 31):
        await stage.submit(stage.turn(number))
        if chance.random() < 0.2:
            await stage.submit(stage.turn(number))
        if chance.random() < 0.6:
            await stage.ended(number)

    await stage.ended(*range(1, 31))

    assert stage.world.live == f"{stage.name}.30"
    assert stage.world.switches == sorted(set(stage.world.switches))
    assert stage.world.most_inside == 1
    for number in range(1, 31):
        records = stage.world.records[f"{stage.name}.{number}"]
        assert [one for one in records if one != "started"] in (["succeeded"], ["failed"])


async def test_a_terminated_lane_is_healed_by_the_next_delivery(stage: Stage) -> None:
    """The newest child waits for the word to proceed, and nobody is left to say it."""
    held = stage.world.hold("undo", f"{stage.name}.1")
    stage.world.hold("health", f"{stage.name}.1")
    await stage.submit(stage.turn(1))
    await stage.world.reached[f"{stage.name}.1", "health"].wait()
    await stage.submit(stage.turn(2))
    await stage.world.reached[f"{stage.name}.1", "undo"].wait()

    await stage.client.get_workflow_handle(stage.lane_id).terminate()
    held.set()
    await stage.ended(1)
    assert stage.world.records[f"{stage.name}.2"] == []
    await stage.submit(stage.turn(2))
    await stage.ended(2)

    assert stage.world.live == f"{stage.name}.2"


async def test_a_removal_takes_its_turn_like_a_deployment(stage: Stage) -> None:
    stage.world.hold("health", f"{stage.name}.1")
    await stage.submit(stage.turn(1))
    await stage.world.reached[f"{stage.name}.1", "health"].wait()

    await stage.submit(stage.turn(2, removal=True))
    await stage.lane_ended()

    assert stage.world.removed == [f"{stage.name}.app"]
    assert stage.world.removals == [RemovalRecord(f"{stage.name}.app")]
    assert stage.world.failures[f"{stage.name}.1"].reason is Reason.SUPERSEDED


@pytest.mark.parametrize("reason", [Reason.UNHEALTHY, Reason.INTERNAL])
async def test_a_failed_child_never_fails_the_lane(stage: Stage, reason: Reason) -> None:
    stage.world.user_fault("health", reason)

    await stage.submit(stage.turn(1))
    await stage.lane_ended()

    described = await stage.client.get_workflow_handle(stage.lane_id).describe()
    assert described.status is WorkflowExecutionStatus.COMPLETED
