"""One deployment, step by step, with a failure or a cancel at each."""

import asyncio

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError

from aweigh.deployments.deployment import Reason
from tests.support.stage import Stage, Theatre
from workflows.names import DEPLOYMENT_STATE

ORDER = ["preflight", "pull", "release", "create", "health", "switch", "drain", "remove"]
BEFORE_THE_SWITCH = ["preflight", "pull", "release", "create", "health"]


async def test_the_steps_run_in_order_and_the_deployment_succeeds(stage: Stage) -> None:
    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()

    described = await stage.deployment(1).describe()
    assert stage.world.steps_of(f"{stage.name}.1") == [*ORDER, "sweep"]
    assert stage.world.records[f"{stage.name}.1"] == ["started", "succeeded"]
    assert described.typed_search_attributes[DEPLOYMENT_STATE] == "succeeded"
    assert await described.static_summary() == f"{stage.name}@v1 → {stage.name}"


async def test_a_release_from_source_is_built_instead_of_pulled(stage: Stage) -> None:
    stage.world.builds = True

    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()

    built = ["fetch" if step == "pull" else step for step in ORDER]
    built.insert(built.index("fetch") + 1, "build")
    assert stage.world.steps_of(f"{stage.name}.1") == [*built, "sweep"]


@pytest.mark.parametrize(("broken", "end"), [("", "succeeded"), ("health", "failed")])
async def test_the_commit_status_is_reported_at_the_start_and_at_the_end(
    stage: Stage, broken: str, end: str
) -> None:
    stage.world.builds = stage.world.reports_commit_status = True
    stage.world.user_fault(broken, Reason.UNHEALTHY)

    await stage.submit(stage.turn(1))
    await stage.ended(1)

    name = f"{stage.name}.1"
    async with asyncio.timeout(300):
        while len(stage.world.reported) < 2:
            await asyncio.sleep(0.01)
    assert stage.world.reported[-1] == (name, end)


async def test_the_current_details_tell_the_story_step_by_step(stage: Stage) -> None:
    held = stage.world.hold("release")
    await stage.submit(stage.turn(1))
    await stage.world.reached["", "release"].wait()
    deployment = stage.deployment(1)

    async def story() -> list[str]:
        metadata = await deployment.query("__temporal_workflow_metadata")
        return str(metadata.current_details).splitlines()

    meanwhile = await story()
    held.set()
    await stage.ended(1)
    await stage.lane_ended()
    afterwards = await story()

    begun = ["- **started** ", "- **preflight** preflight done", "- **pull** pull done"]
    assert meanwhile == begun
    assert afterwards[: len(begun) + 1] == [*begun, "- **release** release done"]
    assert afterwards[-2:] == ["- **succeeded** ", "- **sweep** sweep done"]


@pytest.mark.parametrize("step", ["fetch", "build"])
async def test_a_cancelled_build_is_undone(stage: Stage, step: str) -> None:
    stage.world.builds = True
    stage.world.hold(step)
    await stage.submit(stage.turn(1))
    await stage.world.reached["", step].wait()

    await stage.deployment(1).cancel()
    await stage.ended(1)

    assert stage.world.failures[f"{stage.name}.1"].reason is Reason.CANCELLED
    assert stage.world.steps_of(f"{stage.name}.1")[-1] == "undo"


@pytest.mark.parametrize("step", [*BEFORE_THE_SWITCH, "switch"])
async def test_a_permanent_failure_of_a_step_undoes_everything(stage: Stage, step: str) -> None:
    stage.world.user_fault(step, Reason.UNHEALTHY)

    await stage.submit(stage.turn(1))
    await stage.ended(1)

    with pytest.raises(WorkflowFailureError):
        await stage.deployment(1).result()
    failure = stage.world.failures[f"{stage.name}.1"]
    assert (failure.reason, failure.message) == (Reason.UNHEALTHY, f"{step} broke")
    assert stage.world.containers == set()
    assert stage.world.live is None
    assert ("undo" in stage.world.steps_of(f"{stage.name}.1")) == (step != "preflight")


async def test_a_deployment_that_is_live_after_a_lost_switch_is_completed(stage: Stage) -> None:
    """The server worker died right after the switch, before it could report it."""
    stage.world.loses_switch_result = True

    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()

    assert stage.world.records[f"{stage.name}.1"] == ["started", "succeeded"]
    steps = stage.world.steps_of(f"{stage.name}.1")
    assert steps[-4:] == ["undo", "drain", "remove", "sweep"]
    assert stage.world.live == f"{stage.name}.1"


@pytest.mark.parametrize("step", ORDER)
async def test_a_transient_failure_of_a_step_is_retried(stage: Stage, step: str) -> None:
    stage.world.world_fault(step, Reason.ENGINE_UNAVAILABLE)

    await stage.submit(stage.turn(1))
    await stage.ended(1)

    assert stage.world.records[f"{stage.name}.1"] == ["started", "succeeded"]
    assert stage.world.steps_of(f"{stage.name}.1").count(step) == 2


@pytest.mark.parametrize("step", BEFORE_THE_SWITCH)
async def test_a_cancel_before_the_switch_leaves_no_containers(stage: Stage, step: str) -> None:
    stage.world.hold(step)
    await stage.submit(stage.turn(1))
    await stage.world.reached["", step].wait()

    await stage.deployment(1).cancel()
    await stage.ended(1)

    assert stage.world.failures[f"{stage.name}.1"].reason is Reason.CANCELLED
    assert stage.world.containers == set()
    with pytest.raises(WorkflowFailureError):
        await stage.deployment(1).result()


async def test_a_step_that_fails_during_a_cancel_counts_as_cancelled(stage: Stage) -> None:
    stage.world.fails_when_cancelled = True
    stage.world.world_fault("pull", Reason.REGISTRY_UNAVAILABLE)
    stage.world.hold("pull")
    await stage.submit(stage.turn(1))
    await stage.world.reached["", "pull"].wait()

    await stage.deployment(1).cancel()
    await stage.ended(1)

    assert stage.world.failures[f"{stage.name}.1"].reason is Reason.CANCELLED


@pytest.mark.parametrize("step", ["switch", "drain", "remove"])
async def test_a_cancel_during_or_after_the_switch_is_ignored(stage: Stage, step: str) -> None:
    held = stage.world.hold(step)
    await stage.submit(stage.turn(1))
    await stage.world.reached["", step].wait()

    await stage.deployment(1).cancel()
    held.set()
    await stage.ended(1)

    assert stage.world.records[f"{stage.name}.1"] == ["started", "succeeded"]
    assert stage.world.live == f"{stage.name}.1"


@pytest.mark.parametrize("step", ["drain", "remove"])
async def test_a_failure_after_the_switch_does_not_undo_it(stage: Stage, step: str) -> None:
    stage.world.user_fault(step, Reason.INTERNAL)

    await stage.submit(stage.turn(1))
    await stage.ended(1)

    assert stage.world.records[f"{stage.name}.1"] == ["started", "succeeded"]
    assert stage.world.live == f"{stage.name}.1"


async def test_a_cancelled_deployment_whose_undo_fails_is_not_recorded_as_cancelled(
    stage: Stage,
) -> None:
    stage.world.hold("create")
    stage.world.user_fault("undo", Reason.ENGINE_UNAVAILABLE)
    await stage.submit(stage.turn(1))
    await stage.world.reached["", "create"].wait()

    await stage.deployment(1).cancel()
    await stage.ended(1)

    assert stage.world.failures[f"{stage.name}.1"].reason is Reason.ENGINE_UNAVAILABLE


@pytest.mark.parametrize("cancels", [1, 2])
async def test_a_cancel_during_the_undo_changes_nothing(stage: Stage, cancels: int) -> None:
    stage.world.user_fault("create", Reason.START_FAILED)
    held = stage.world.hold("undo")
    await stage.submit(stage.turn(1))
    await stage.world.reached["", "undo"].wait()

    for _ in range(cancels):
        await stage.deployment(1).cancel()
    await stage.cancel_arrived(1)
    held.set()
    await stage.ended(1)

    failure = stage.world.failures[f"{stage.name}.1"]
    assert (failure.reason, failure.message) == (Reason.START_FAILED, "create broke")
    with pytest.raises(WorkflowFailureError):
        await stage.deployment(1).result()
    described = await stage.deployment(1).describe()
    assert described.status is WorkflowExecutionStatus.FAILED


async def test_a_deployment_superseded_during_its_undo_is_recorded_with_its_own_reason(
    stage: Stage,
) -> None:
    stage.world.user_fault("create", Reason.START_FAILED, f"{stage.name}.1")
    held = stage.world.hold("undo", f"{stage.name}.1")
    await stage.submit(stage.turn(1))
    await stage.world.reached[f"{stage.name}.1", "undo"].wait()

    await stage.submit(stage.turn(2))
    await stage.cancel_arrived(1)
    held.set()
    await stage.ended(1, 2)

    assert stage.world.failures[f"{stage.name}.1"].reason is Reason.START_FAILED
    assert stage.world.live == f"{stage.name}.2"


async def test_a_failed_undo_does_not_hide_the_reason_of_the_deployment(stage: Stage) -> None:
    stage.world.user_fault("health", Reason.UNHEALTHY)
    stage.world.user_fault("undo", Reason.ENGINE_UNAVAILABLE)
    await stage.submit(stage.turn(1))
    await stage.ended(1)

    failure = stage.world.failures[f"{stage.name}.1"]
    assert failure.reason is Reason.UNHEALTHY
    assert failure.message == "health broke Undoing it failed: undo broke"


async def test_a_deployment_that_ended_before_its_start_runs_no_step(
    house: Theatre, stage: Stage
) -> None:
    house.records.ended_before.add(f"{stage.name}.1")

    await stage.submit(stage.turn(1))
    await stage.lane_ended()

    assert stage.world.ran == []


async def test_a_terminated_deployment_does_not_block_the_lane(stage: Stage) -> None:
    stage.world.hold("health", f"{stage.name}.1")
    await stage.submit(stage.turn(1))
    await stage.world.reached[f"{stage.name}.1", "health"].wait()

    await stage.deployment(1).terminate()
    await stage.submit(stage.turn(2))
    await stage.ended(2)

    described = await stage.deployment(1).describe()
    assert described.status is WorkflowExecutionStatus.TERMINATED
    assert stage.world.live == f"{stage.name}.2"


async def test_a_failed_deployment_submitted_again_runs_no_step(stage: Stage) -> None:
    stage.world.user_fault("health", Reason.UNHEALTHY)
    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()
    ran = list(stage.world.ran)

    await stage.submit(stage.turn(1))
    await stage.lane_ended()

    assert stage.world.ran == ran
    assert stage.world.records[f"{stage.name}.1"] == ["started", "failed"]
