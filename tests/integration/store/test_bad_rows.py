"""One row that cannot be read hides no other from the reconciler, and is told of."""

from datetime import timedelta
from typing import cast

from sqlalchemy import text

from aweigh.contract import Findings
from aweigh.deployments.verdict import WorkflowStatus
from aweigh.store import inventory, servers
from aweigh.store.database import Store
from aweigh.store.deployments import find_row
from aweigh.temporal.executions import Executions
from aweigh.temporal.record_comparison import ComparedRecords, RecordComparison
from tests.support.installation import SERVER, new_application, new_deployment, start


class Closed:
    """A Temporal in which every workflow was terminated, but for one that it fails to look up."""

    def __init__(self, failing: str = "") -> None:
        self._failing = failing

    async def status(self, workflow_id: str) -> WorkflowStatus:
        if self._failing and self._failing in workflow_id:
            raise ValueError("what it says of this one cannot be read")
        return WorkflowStatus.CLOSED


async def compared(store: Store, executions: Closed) -> ComparedRecords:
    async with store.write() as tx:
        await servers.keep_findings(tx, SERVER, Findings(run_id="run-r"))
    return await RecordComparison(store, cast(Executions, executions), timedelta(days=90)).run(
        SERVER, "run-r"
    )


async def state(store: Store, deployment_id: str) -> str:
    async with store.read() as tx:
        return (await find_row(tx, deployment_id)).state


async def test_an_application_that_cannot_be_read_hides_no_other(store: Store) -> None:
    bad, good = await new_application(store, "bad"), await new_application(store, "good")
    broken, whole = await new_deployment(store, bad), await new_deployment(store, good)
    async with store.write() as tx:
        change = text("UPDATE deployments SET state = 'no such state' WHERE id = :id")
        await tx.session.execute(change, {"id": broken})

    async with store.read() as tx:
        found = await inventory.of_server(tx, SERVER, 2)

    assert [one.id for one in found.applications] == [good]
    assert [one.id for one in found.applications[0].deployments] == [whole]
    assert found.skipped == {bad: (broken,)}


async def test_a_record_that_cannot_be_compared_keeps_no_other(store: Store) -> None:
    first, last = [await new_application(store, name) for name in ("first", "last")]
    begun = [await new_deployment(store, one) for one in (first, last)]
    for one in begun:
        await start(store, one)

    result = await compared(store, Closed(failing="/first/"))

    assert result == ComparedRecords(1, (begun[0],))
    assert [await state(store, one) for one in begun] == ["started", "failed"]
