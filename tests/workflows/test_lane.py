"""The lane: one at a time, newest wins, nothing lost."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.inputs import RemovalRecord
from aweigh.deployments.application import Policy
from aweigh.deployments.deployment import Reason
from tests.support.stage import Stage
from workflows import policies
from workflows.names import CONTROL_QUEUE


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


async def test_with_the_queue_policy_the_running_deployment_finishes_and_the_newest_is_next(
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


async def test_a_waiting_deployment_is_superseded_while_it_reads_its_record(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "FIRST_RECORD_CHECK", timedelta(milliseconds=10))
    held = stage.world.hold("health", f"{stage.name}.1")
    asked = stage.world.hold("read record", f"{stage.name}.2")
    for sequence in (1, 2):
        await stage.submit(stage.turn(sequence, policy=Policy.QUEUE))
        step = "health" if sequence == 1 else "read record"
        await stage.world.reached[f"{stage.name}.{sequence}", step].wait()

    await stage.submit(stage.turn(3, policy=Policy.QUEUE))
    await stage.cancel_arrived(2)
    asked.set()
    await stage.ended(2)
    held.set()
    await stage.ended(1, 3)

    assert stage.world.failures[f"{stage.name}.2"].superseded_by == f"{stage.name}.3"
    assert stage.world.switches == [1, 3]


async def test_a_deployment_superseded_during_the_record_of_its_start_runs_no_step(
    stage: Stage,
) -> None:
    recorded = stage.world.hold("record started", f"{stage.name}.1")
    await stage.submit(stage.turn(1))
    await stage.world.reached[f"{stage.name}.1", "record started"].wait()

    await stage.submit(stage.turn(2))
    await stage.cancel_arrived(1)
    recorded.set()
    await stage.ended(1, 2)

    assert stage.world.steps_of(f"{stage.name}.1") == []
    assert stage.world.failures[f"{stage.name}.1"].reason is Reason.SUPERSEDED


async def test_the_sequence_decides_which_deployment_is_newest_not_the_arrival(
    stage: Stage,
) -> None:
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


@pytest.mark.parametrize("count", [20, pytest.param(50, marks=pytest.mark.long)])
async def test_of_many_deployments_at_once_the_newest_is_live_and_at_most_two_switch(
    stage: Stage, count: int
) -> None:
    numbers = range(1, count + 1)
    await asyncio.gather(*(stage.submit(stage.turn(number)) for number in numbers))
    await stage.ended(*numbers)

    ends = [stage.world.records[f"{stage.name}.{number}"][-1] for number in numbers]
    assert stage.world.live == f"{stage.name}.{count}"
    assert len(stage.world.switches) <= 2
    assert ends.count("succeeded") == len(stage.world.switches)
    assert stage.world.containers == {f"{stage.name}.{count}"}
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


@pytest.mark.parametrize("count", [12, pytest.param(30, marks=pytest.mark.long)])
async def test_no_deployment_is_lost_while_an_idle_lane_closes(stage: Stage, count: int) -> None:
    """Signals at the moment the lane closes, with a fifth of them delivered twice."""
    numbers = range(1, count + 1)
    chance = random.Random(7)  # noqa: S311 (a stress test, not a secret)
    for number in numbers:
        await stage.submit(stage.turn(number))
        if chance.random() < 0.2:
            await stage.submit(stage.turn(number))
        if chance.random() < 0.6:
            await stage.ended(number)

    await stage.ended(*numbers)

    assert stage.world.live == f"{stage.name}.{count}"
    assert stage.world.switches == sorted(set(stage.world.switches))
    assert stage.world.most_inside == 1
    for number in numbers:
        records = stage.world.records[f"{stage.name}.{number}"]
        assert [one for one in records if one != "started"] in (["succeeded"], ["failed"])


async def test_the_next_submission_restores_a_terminated_lane(stage: Stage) -> None:
    """The newest child waits for the signal to proceed, and no lane is left to send it."""
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


async def test_a_removal_waits_for_its_turn_like_a_deployment(stage: Stage) -> None:
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


def forged(stage: Stage, deployment_id: str, sequence: int = 10**9) -> dict[str, Any]:
    """A newer turn, forged by someone who reaches Temporal."""
    return {
        "application_id": f"{stage.name}.app", "slug": stage.name, "server": stage.name,
        "sequence": sequence, "deployment_id": deployment_id,
    }  # fmt: skip


async def test_forged_submissions_supersede_nothing(stage: Stage) -> None:
    held = stage.world.hold("health", f"{stage.name}.1")
    await stage.submit(stage.turn(1))
    await stage.world.reached[f"{stage.name}.1", "health"].wait()

    for deployment_id in (f"{stage.name}.2", f"{stage.name}.1", "", "x" * 10**5):
        await stage.lane().signal("submit", forged(stage, deployment_id))
    await stage.lane().signal("submit", {"deployment_id": [1]})
    await stage.lane().signal("submit", forged(stage, f"{stage.name}.3") | {"removal": True})
    async with asyncio.timeout(300):
        while f"{stage.name}.3" not in stage.world.asked:
            await asyncio.sleep(0.01)
    held.set()
    await stage.ended(1)
    await stage.lane_ended()

    assert stage.world.records[f"{stage.name}.1"] == ["started", "succeeded"]
    assert stage.world.asked == [
        f"{stage.name}.{one}" if one else "" for one in ("1", "2", "", "3")
    ]
    assert stage.world.removed == []


async def test_a_lane_started_by_hand_ignores_its_input(stage: Stage) -> None:
    newest = forged(stage, f"{stage.name}.made-up")
    child = {"turn": forged(stage, f"{stage.name}.child", 5), "proceeding": True}

    await stage.client.start_workflow(
        "ApplicationLane", {"newest": newest, "children": [child]}, id=stage.lane_id,
        task_queue=CONTROL_QUEUE,
    )  # fmt: skip
    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()

    assert stage.world.records[f"{stage.name}.1"] == ["started", "succeeded"]


async def test_deployments_submitted_while_the_database_is_away_run_once_it_is_back(
    stage: Stage,
) -> None:
    stage.world.database_away = True
    for sequence in (1, 2):
        await stage.submit(stage.turn(sequence))
    async with asyncio.timeout(300):
        while len(stage.world.asked) < 3:
            await asyncio.sleep(0.01)
    assert stage.world.ran == []

    stage.world.database_away = False
    await stage.ended(2)
    await stage.lane_ended()

    assert stage.world.live == f"{stage.name}.2"
    assert stage.world.records[f"{stage.name}.1"][-1] in ("succeeded", "failed")
