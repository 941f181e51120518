"""Steps are repeated, a few times, if a later step finds their work gone."""

import pytest
from temporalio.client import WorkflowFailureError

from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    GenerationGone,
    ImageGone,
    ProxyImageGone,
)
from tests.support.stage import Stage
from workflows.policies import MAX_REPEATS

BEGINNING = ["preflight", "pull", "release", "create", "health", "switch"]
END = ["drain", "remove", "sweep"]


async def deployed(stage: Stage) -> list[str]:
    """The steps that one deployment runs."""
    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()
    return stage.world.steps_of(f"{stage.name}.1")


@pytest.mark.parametrize("step", ["release", "create", "health", "switch"])
@pytest.mark.parametrize("builds", [False, True])
async def test_a_missing_image_is_pulled_or_built_again(
    stage: Stage, step: str, builds: bool
) -> None:
    stage.world.builds = builds
    stage.world.user_fault(step, ImageGone.kind)

    steps = await deployed(stage)

    provided = ["fetch", "build"] if builds else ["pull"]
    order = [BEGINNING[0], *provided, *BEGINNING[2:]]
    assert steps == [*order[: order.index(step) + 1], *order[1:], *END]
    assert stage.world.records[f"{stage.name}.1"] == ["started", "succeeded"]


@pytest.mark.parametrize("step", ["health", "switch"])
async def test_missing_containers_are_created_and_checked_again(stage: Stage, step: str) -> None:
    stage.world.user_fault(step, GenerationGone.kind)

    steps = await deployed(stage)

    again = BEGINNING[BEGINNING.index("create") :]
    assert steps == [*BEGINNING[: BEGINNING.index(step) + 1], *again, *END]


async def test_a_missing_proxy_is_installed_again_by_preflight(stage: Stage) -> None:
    stage.world.user_fault("switch", ProxyImageGone.kind)

    steps = await deployed(stage)

    assert steps == [*BEGINNING, "preflight", "create", "health", "switch", *END]


async def test_a_repeated_step_has_a_number_behind_its_activity_id(stage: Stage) -> None:
    stage.world.user_fault("switch", ImageGone.kind)

    await deployed(stage)

    history = await stage.deployment(1).fetch_history()
    scheduled = [
        event.activity_task_scheduled_event_attributes.activity_id for event in history.events
    ]
    metadata = await stage.deployment(1).query("__temporal_workflow_metadata")
    assert [one for one in scheduled if one.startswith(("pull", "switch"))] == [
        "pull", "switch", "pull-2", "switch-2",
    ]  # fmt: skip
    assert "- **again** image" in metadata.current_details


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(ImageGone.kind, Reason.IMAGE_NOT_FOUND), (GenerationGone.kind, Reason.START_FAILED)],
)
async def test_work_that_keeps_disappearing_fails_the_deployment(
    stage: Stage, kind: str, reason: Reason
) -> None:
    for _ in range(MAX_REPEATS + 2):
        stage.world.user_fault("switch", kind)

    steps = await deployed(stage)

    failure = stage.world.failures[f"{stage.name}.1"]
    assert steps.count("switch") == MAX_REPEATS + 1
    assert steps[-1] == "undo"
    assert (failure.reason, failure.message) == (reason, "switch broke")
    with pytest.raises(WorkflowFailureError):
        await stage.deployment(1).result()


async def test_a_cancel_before_a_repetition_is_obeyed(stage: Stage) -> None:
    """The cancel does not interrupt the switch, but nothing is created again after it."""
    stage.world.user_fault("switch", GenerationGone.kind)
    held = stage.world.hold("switch")
    await stage.submit(stage.turn(1))
    await stage.world.reached["", "switch"].wait()

    await stage.deployment(1).cancel()
    await stage.cancel_arrived(1)
    held.set()
    await stage.ended(1)

    steps = stage.world.steps_of(f"{stage.name}.1")
    assert steps == [*BEGINNING, "undo"]
    assert stage.world.failures[f"{stage.name}.1"].reason is Reason.CANCELLED
