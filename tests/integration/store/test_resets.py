"""Runs of one deployment's workflow: a reset opens a failed one again, and old runs stay quiet."""

import pytest

from aweigh.contract import StepReport
from aweigh.core.errors import Conflict
from aweigh.deployments.deployment import (
    DeploymentState,
    EventKind,
    Reason,
    RecordedState,
    StepState,
)
from aweigh.store import deployments, lifecycle, steps
from aweigh.store.database import Store
from aweigh.store.tables import DeploymentRow
from tests.support.installation import events_of, new_application, new_deployment, start, succeed


@pytest.fixture
async def failed(store: Store) -> str:
    """A deployment whose first run failed."""
    made = await new_deployment(store, await new_application(store))
    await start(store, made, "run-1")
    await fail(store, made, "run-1")
    return made


async def fail(store: Store, deployment_id: str, run_id: str) -> None:
    async with store.write() as tx:
        message = f"{run_id} failed"
        await lifecycle.failed(tx, deployment_id, Reason.UNHEALTHY, message, run_id=run_id)


async def report(
    store: Store, deployment_id: str, run_id: str, state: StepState = StepState.RUNNING
) -> None:
    async with store.write() as tx:
        said = StepReport(state=state, run_id=run_id, attempt=1)
        await steps.report(tx, deployment_id, "create", said)


async def row_of(store: Store, deployment_id: str) -> DeploymentRow:
    async with store.read() as tx:
        return await deployments.find_row(tx, deployment_id)


async def test_a_step_of_a_new_run_opens_a_failed_deployment_again(
    store: Store, failed: str
) -> None:
    await report(store, failed, "run-2")

    row = await row_of(store, failed)
    assert (row.state, row.run_id, row.attempts) == (DeploymentState.STARTED, "run-2", 2)
    assert (row.reason, row.message, row.finished_at) == (None, None, None)
    assert row.started_at is not None  # from here its deadline counts
    assert row.started_at > row.created_at
    assert (await events_of(store, failed))[-1] == EventKind.STARTED


async def test_a_run_from_the_very_beginning_opens_it_too(store: Store, failed: str) -> None:
    assert await start(store, failed, "run-2")

    row = await row_of(store, failed)
    assert (row.state, row.run_id, row.attempts) == (DeploymentState.STARTED, "run-2", 2)


async def test_a_new_run_may_fail_again(store: Store, failed: str) -> None:
    await report(store, failed, "run-2")

    await fail(store, failed, "run-2")

    row = await row_of(store, failed)
    assert (row.state, row.message) == (DeploymentState.FAILED, "run-2 failed")


async def test_a_failure_of_a_run_that_reported_nothing_counts_as_an_attempt(
    store: Store, failed: str
) -> None:
    await fail(store, failed, "run-2")

    row = await row_of(store, failed)
    assert (row.state, row.message, row.attempts) == (DeploymentState.FAILED, "run-2 failed", 2)


async def test_a_new_run_may_succeed(store: Store, failed: str) -> None:
    await report(store, failed, "run-2")

    await succeed(store, failed, "run-2")

    assert (await row_of(store, failed)).state == DeploymentState.SUCCEEDED


async def test_the_run_that_failed_is_told_so(store: Store, failed: str) -> None:
    with pytest.raises(Conflict, match="has ended as failed / unhealthy"):
        await report(store, failed, "run-1")

    assert (await row_of(store, failed)).state == DeploymentState.FAILED


async def test_the_undo_of_the_run_that_failed_is_still_written_down(
    store: Store, failed: str
) -> None:
    await report(store, failed, "run-1", StepState.SUCCEEDED)

    async with store.read() as tx:
        found = await deployments.find(tx, failed)
    assert found.row.state == DeploymentState.FAILED
    assert [(step.name, step.state) for step in found.steps] == [("create", "succeeded")]


@pytest.mark.parametrize("state", list(StepState))
async def test_a_late_report_of_an_earlier_run_opens_nothing(
    store: Store, failed: str, state: StepState
) -> None:
    await report(store, failed, "run-2")
    await fail(store, failed, "run-2")

    with pytest.raises(Conflict, match="earlier run"):
        await report(store, failed, "run-1", state)

    row = await row_of(store, failed)
    assert (row.state, row.run_id, row.attempts) == (DeploymentState.FAILED, "run-2", 2)


async def test_a_late_report_of_an_earlier_run_does_not_disturb_the_running_one(
    store: Store, failed: str
) -> None:
    await report(store, failed, "run-2")

    with pytest.raises(Conflict, match="earlier run"):
        await report(store, failed, "run-1")

    assert (await row_of(store, failed)).run_id == "run-2"
    assert await start(store, failed, "run-2")


async def test_a_late_failure_of_an_earlier_run_does_not_end_the_running_one(
    store: Store, failed: str
) -> None:
    await report(store, failed, "run-2")

    await fail(store, failed, "run-1")

    row = await row_of(store, failed)
    assert (row.state, row.run_id) == (DeploymentState.STARTED, "run-2")


async def test_an_earlier_run_does_not_start_it_again(store: Store, failed: str) -> None:
    await report(store, failed, "run-2")
    await fail(store, failed, "run-2")

    assert not await start(store, failed, "run-1")

    assert (await row_of(store, failed)).state == DeploymentState.FAILED


async def test_runs_are_remembered_however_many_there_were(store: Store, failed: str) -> None:
    for number in range(2, 8):
        await report(store, failed, f"run-{number}")
        await fail(store, failed, f"run-{number}")

    for number in range(1, 7):
        with pytest.raises(Conflict, match="earlier run"):
            await report(store, failed, f"run-{number}")
    assert (await row_of(store, failed)).attempts == 7


async def live_and_older(store: Store) -> tuple[str, str]:
    """The first and the second deployment of an application, which both succeeded."""
    application = await new_application(store)
    made = await new_deployment(store, application), await new_deployment(store, application)
    for number, one in enumerate(made, 1):
        await start(store, one, f"run-{number}")
        await succeed(store, one, f"run-{number}")
    return made


async def said_of(store: Store, deployment_id: str) -> RecordedState:
    async with store.read() as tx:
        return await lifecycle.standing(tx, deployment_id)


async def test_nothing_is_recorded_of_a_reset_of_one_that_is_live_no_more(store: Store) -> None:
    older, _ = await live_and_older(store)

    with pytest.raises(Conflict, match=r"has succeeded already\. #2 is live now"):
        await report(store, older, "run-3")
    started = await start(store, older, "run-3")
    await fail(store, older, "run-3")

    async with store.read() as tx:
        found = await deployments.find(tx, older)
    assert not started
    assert (found.row.state, found.row.run_id, found.steps) == ("succeeded", "run-1", ())
    assert (await events_of(store, older))[-1] == EventKind.SUCCEEDED
    said = await said_of(store, older)
    assert (said.state, said.reason) == (DeploymentState.SUCCEEDED, None)
    assert "#2 is live now" in said.message


async def test_a_reset_of_what_is_live_may_repeat_its_steps(store: Store) -> None:
    _, live = await live_and_older(store)

    await report(store, live, "run-3")

    row = await row_of(store, live)
    assert (row.state, row.run_id) == (DeploymentState.SUCCEEDED, "run-3")
    assert "It is live" in (await said_of(store, live)).message


async def test_a_reset_of_what_is_live_to_its_beginning_finds_nothing_to_do(store: Store) -> None:
    _, live = await live_and_older(store)

    assert not await start(store, live, "run-3")

    row = await row_of(store, live)
    assert (row.state, row.run_id) == (DeploymentState.SUCCEEDED, "run-2")


async def test_of_a_failed_one_it_is_said_how_it_failed(store: Store, failed: str) -> None:
    said = await said_of(store, failed)

    assert said == RecordedState(DeploymentState.FAILED, Reason.UNHEALTHY, "run-1 failed")


async def test_one_that_ended_before_any_run_is_opened_by_none(store: Store) -> None:
    made = await new_deployment(store, await new_application(store))
    async with store.write() as tx:
        await lifecycle.failed(tx, made, Reason.CANCELLED, "It was cancelled.")

    with pytest.raises(Conflict):
        await report(store, made, "run-1")
    assert not await start(store, made, "run-1")

    assert (await row_of(store, made)).state == DeploymentState.FAILED
