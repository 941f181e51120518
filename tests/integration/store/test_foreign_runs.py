"""Records by a workflow that no lane started are refused."""

from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import pytest
from sqlalchemy import select
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.inputs import (
    FailedResult,
    RemovalRecordResult,
    StandingResult,
    StartedResult,
    SucceededResult,
)
from aweigh.deployments.deployment import Reason, RecordedState
from aweigh.deployments.workflow_ids import (
    ExpectedWorkflow,
    WorkflowRun,
    deployment_workflow,
    removal_workflow,
)
from aweigh.store import applications, removals
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow, Base
from aweigh.temporal.executions import Executions
from aweigh.temporal.workflow_records import NO_RECORD, WorkflowRecords
from tests.support.forged import ON_CONTROL, on_control
from tests.support.installation import events_of, new_application, new_deployment, start, succeed

#: What may be answered about a deployment that does not exist.
NOTHING = (
    StartedResult(False, RecordedState(message=NO_RECORD)),
    StandingResult(RecordedState(message=NO_RECORD)), FailedResult(RecordedState()),
    SucceededResult(), RemovalRecordResult(),
)  # fmt: skip


async def everything(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """What stands in every table."""
    async with store.read() as tx:
        return {
            name: sorted(map(tuple, await tx.session.execute(select(table))), key=str)
            for name, table in Base.metadata.tables.items()
        }


@pytest.fixture
async def subjects(store: Store) -> dict[str, str]:
    """Deployments that are live, go on and wait; and an application that is to be removed."""
    shop, gone = await new_application(store), await new_application(store, "gone")
    made = {kind: await new_deployment(store, shop) for kind in ("live", "running", "waiting")}
    await start(store, made["live"], "run-0")
    await succeed(store, made["live"], "run-0")
    await start(store, made["running"])
    async with store.write() as tx:
        found = await applications.find(tx, gone, lock=True)
        await removals.request(tx, found.row, volumes=True)
    return {"shop": shop, "gone": gone, **made}


@pytest.mark.parametrize("name", ON_CONTROL)
async def test_a_workflow_that_no_lane_started_records_nothing(
    store: Store, subjects: dict[str, str], name: str
) -> None:
    before = await everything(store)

    for subject in subjects.values():
        for payload in ON_CONTROL[name].payloads:
            real = replace(payload, **{next(iter(vars(payload))): subject})
            for forged in (payload, real):
                with suppress(ApplicationError):
                    answer = await ActivityEnvironment().run(on_control(store)[name], forged)
                    assert answer in NOTHING

    assert await everything(store) == before


class Temporal:
    """One that knows the run of one workflow."""

    def __init__(self, known: ExpectedWorkflow, run_id: str) -> None:
        self._known = known, run_id

    async def is_run_of(self, expected: ExpectedWorkflow, run_id: str) -> bool:
        return (expected, run_id) == self._known


async def test_the_workflow_that_a_lane_started_may_record(
    store: Store, subjects: dict[str, str]
) -> None:
    workflow = deployment_workflow("shop", 3, subjects["waiting"])
    records = WorkflowRecords(store, cast(Executions, Temporal(workflow, "run-2")))
    run = WorkflowRun(workflow_id=workflow.id, run_id="run-2")

    assert await records.started(subjects["waiting"], run) is None
    await records.succeeded(subjects["waiting"], run)

    assert (await events_of(store, subjects["waiting"]))[-1] == "deployment.succeeded"


@pytest.mark.parametrize("run_id", ["run-1", "run-2"])
async def test_a_workflow_of_another_deployment_may_not_record(
    store: Store, subjects: dict[str, str], run_id: str
) -> None:
    """Also one that says so itself, and has a run of its own that is known."""
    own = deployment_workflow("shop", 2, subjects["running"])
    records = WorkflowRecords(store, cast(Executions, Temporal(own, run_id)))
    before = await everything(store)

    for subject in ("live", "waiting"):
        with pytest.raises(Exception, match="Record refused"):
            await records.failed(
                subjects[subject], Reason.UNHEALTHY, "forged", superseded_by=None,
                run=WorkflowRun(workflow_id=own.id, run_id=run_id),
            )  # fmt: skip

    assert await everything(store) == before


async def test_a_removal_is_recorded_for_its_own_workflow_only(
    store: Store, subjects: dict[str, str]
) -> None:
    own = removal_workflow("gone", 1)
    records = WorkflowRecords(store, cast(Executions, Temporal(own, "run-3")))
    other = removal_workflow("gone", 2)

    for run in (
        WorkflowRun(workflow_id=other.id, run_id="run-3"),
        WorkflowRun(workflow_id=own.id, run_id="x"),
    ):
        with pytest.raises(Exception, match="Record refused"):
            await records.removal(subjects["gone"], None, run)
    await records.removal(subjects["shop"], None, WorkflowRun(workflow_id=own.id, run_id="run-3"))
    await records.removal(subjects["gone"], None, WorkflowRun(workflow_id=own.id, run_id="run-3"))

    async with store.read() as tx:
        removed = {
            name: (await tx.session.get_one(ApplicationRow, subjects[name])).removed_at is not None
            for name in ("shop", "gone")
        }
    assert removed == {"shop": False, "gone": True}
