"""What Temporal no longer carries on is ended, or handed over again, by comparison."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import pytest

from aweigh.contract import Findings
from aweigh.deployments.deployment import Reason
from aweigh.deployments.verdict import WorkflowStatus
from aweigh.deployments.workflow_ids import deployment_workflow_id, lane_id, removal_workflow_id
from aweigh.store import applications, deployments, lifecycle, outbox, removals, servers
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow
from aweigh.temporal.executions import Executions
from aweigh.temporal.record_comparison import RecordComparison
from tests.support.installation import SERVER, new_application, new_deployment


@dataclass
class FakeExecutions:
    """A Temporal that knows the workflows it was told to know."""

    statuses: Mapping[str, WorkflowStatus] = field(default_factory=dict)
    terminated: list[str] = field(default_factory=list)

    async def status(self, workflow_id: str) -> WorkflowStatus:
        return self.statuses.get(workflow_id, WorkflowStatus.UNKNOWN)

    async def terminate(self, workflow_id: str, _why: str) -> None:
        self.terminated.append(workflow_id)


@pytest.fixture
async def application(store: Store) -> str:
    """One whose removal was asked for, and handed over."""
    made = await new_application(store)
    await ask_removal(store, made)
    return made


async def ask_removal(store: Store, application_id: str) -> None:
    async with store.write() as tx:
        found = await applications.find(tx, application_id, lock=True)
        await removals.request(tx, found.row, volumes=False)
        rows = await outbox.due(tx)
        await outbox.handed_over(tx, [row.id for row in rows])


async def compare(store: Store, executions: FakeExecutions, verified: Collection[str] = ()) -> int:
    if verified:
        async with store.write() as tx:
            await servers.keep_findings(
                tx, SERVER, Findings(run_id="run-r", verified=tuple(verified))
            )
    comparison = RecordComparison(store, cast(Executions, executions), timedelta(days=90))
    return (await comparison.run(SERVER, "run-r")).changed


async def state_of(store: Store, deployment_id: str) -> tuple[str, str | None]:
    async with store.read() as tx:
        row = await deployments.find_row(tx, deployment_id)
        return row.state, row.reason


async def row_of(store: Store, application_id: str) -> ApplicationRow:
    async with store.read() as tx:
        return await tx.session.get_one(ApplicationRow, application_id)


async def due(store: Store) -> list[tuple[str, str]]:
    async with store.read() as tx:
        return [(row.kind, row.subject) for row in await outbox.due(tx)]


async def test_a_removal_whose_workflow_was_terminated_has_failed(
    store: Store, application: str
) -> None:
    closed = FakeExecutions({removal_workflow_id("shop", 1): WorkflowStatus.CLOSED})

    assert await compare(store, closed) == 1

    row = await row_of(store, application)
    assert "terminated or lost in Temporal. Delete" in (row.removal_message or "")
    assert await compare(store, closed) == 0

    await ask_removal(store, application)
    assert await compare(store, FakeExecutions()) == 0
    assert await due(store) == [(outbox.REMOVE, application)]


async def test_a_removal_that_runs_is_left_alone(store: Store, application: str) -> None:
    runs = FakeExecutions({removal_workflow_id("shop", 1): WorkflowStatus.RUNNING})

    assert await compare(store, runs) == 0

    assert (await row_of(store, application)).removal_message is None
    assert await due(store) == []


async def test_a_removal_that_temporal_does_not_know_is_handed_over_again(
    store: Store, application: str
) -> None:
    assert await compare(store, FakeExecutions()) == 0

    assert await due(store) == [(outbox.REMOVE, application)]


async def test_the_stuck_lane_of_a_removal_is_started_anew(store: Store, application: str) -> None:
    stuck = FakeExecutions({lane_id("shop"): WorkflowStatus.STUCK})

    await compare(store, stuck)

    assert stuck.terminated == [lane_id("shop")]


async def test_a_removal_whose_task_keeps_failing_is_ended(store: Store, application: str) -> None:
    workflow = removal_workflow_id("shop", 1)
    stuck = FakeExecutions({workflow: WorkflowStatus.STUCK})

    assert await compare(store, stuck) == 1

    assert stuck.terminated == [workflow]
    assert "Delete" in ((await row_of(store, application)).removal_message or "")


async def test_a_deployment_whose_task_keeps_failing_is_ended(store: Store) -> None:
    """It would hold the lane for ever: a newer one waits until it is gone."""
    made = await new_deployment(store, await new_application(store))
    stuck = FakeExecutions({deployment_workflow_id("shop", 1, made): WorkflowStatus.STUCK})

    assert await compare(store, stuck) == 1

    assert stuck.terminated == [deployment_workflow_id("shop", 1, made)]
    assert await state_of(store, made) == ("failed", "terminated")


async def test_a_failed_one_that_is_live_on_its_server_has_succeeded(store: Store) -> None:
    """Its server was away for so long that nobody heard of the switch."""
    application = await new_application(store)
    made = await new_deployment(store, application)
    async with store.write() as tx:
        await lifecycle.started(tx, made, "run-1")
        await lifecycle.failed(tx, made, Reason.SERVER_OFFLINE, "nobody answers", run_id="run-1")

    assert await compare(store, FakeExecutions()) == 0
    assert await compare(store, FakeExecutions(), verified=[made]) == 1

    assert await state_of(store, made) == ("succeeded", None)
    assert (await row_of(store, application)).live == made
    assert await compare(store, FakeExecutions(), verified=[made]) == 0


async def test_a_removal_that_is_done_is_not_compared(store: Store, application: str) -> None:
    async with store.write() as tx:
        await removals.succeeded(tx, application, 1)

    assert await compare(store, FakeExecutions()) == 0
    assert await due(store) == []


async def test_the_end_of_a_removal_that_was_superseded_is_not_that_of_the_second(
    store: Store, application: str
) -> None:
    await ask_removal(store, application)

    async with store.write() as tx:
        await removals.failed(tx, application, "Superseded.", 1)
        await removals.succeeded(tx, application, 1)

    row = await row_of(store, application)
    assert (row.removal_sequence, row.removal_message, row.removed_at) == (2, None, None)
    async with store.write() as tx:
        await removals.succeeded(tx, application, 2)
    assert (await row_of(store, application)).removed_at


async def test_an_end_that_names_no_removal_is_that_of_the_only_one(
    store: Store, application: str
) -> None:
    async with store.write() as tx:
        await removals.failed(tx, application, "The server is offline.")

    assert (await row_of(store, application)).removal_message == "The server is offline."


async def test_what_a_removal_said_of_its_own_end_stays(store: Store, application: str) -> None:
    async with store.write() as tx:
        await removals.failed(tx, application, "The server is offline.", 1)
        await removals.failed(tx, application, "It was terminated.", 1)

    assert (await row_of(store, application)).removal_message == "The server is offline."
