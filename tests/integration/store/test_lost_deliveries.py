"""Deliveries whose workflow Temporal no longer carries on end, or are handed over again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import update

from aweigh.deployments.verdict import WorkflowStatus
from aweigh.deployments.workflow_ids import notification_id
from aweigh.store import deliveries, outbox
from aweigh.store.database import Store
from aweigh.store.tables import DeliveryRow
from aweigh.temporal.executions import Executions
from aweigh.temporal.record_comparison import RecordComparison
from tests.support.channels import begin, deliveries_of, dispatched, fail, new_channel
from tests.support.installation import SERVER, new_application, new_deployment, start


@dataclass
class FakeExecutions:
    """A Temporal in which all workflows of notifications have one status."""

    statuses: Mapping[str, WorkflowStatus] = field(default_factory=dict)

    async def status(self, workflow_id: str) -> WorkflowStatus:
        return self.statuses.get(workflow_id, WorkflowStatus.UNKNOWN)


async def compare(store: Store, executions: FakeExecutions) -> int:
    comparison = RecordComparison(store, cast(Executions, executions), timedelta(days=90))
    return (await comparison.run(SERVER, "run-r")).changed


@pytest.fixture
async def channel(store: Store) -> str:
    return await new_channel(store)


@pytest.fixture
async def delivery(store: Store, channel: str) -> str:
    """One that was attempted an hour ago, and is to be repeated since."""
    made = await new_deployment(store, await new_application(store))
    await start(store, made)
    await dispatched(store)
    first = (await deliveries_of(store, channel))[0].id
    await begin(store, first)
    await fail(store, first)
    await move(store, first, timedelta(hours=1))
    return first


async def move(store: Store, delivery: str, ago: timedelta) -> None:
    async with store.write() as tx:
        then = tx.now - ago
        await tx.session.execute(
            update(DeliveryRow)
            .where(DeliveryRow.id == delivery)
            .values(created_at=then, last_attempt_at=then, next_attempt_at=then)
        )


async def row_of(store: Store, delivery: str) -> DeliveryRow:
    async with store.read() as tx:
        return await tx.session.get_one(DeliveryRow, delivery)


async def due(store: Store) -> list[str]:
    async with store.read() as tx:
        return [row.subject for row in await outbox.due_notifications(tx)]


@pytest.mark.parametrize(
    ("status", "state", "handed_over"),
    [
        (WorkflowStatus.RUNNING, "retrying", False),
        (WorkflowStatus.CLOSED, "failed", False),
        (WorkflowStatus.UNKNOWN, "retrying", True),
    ],
)
async def test_an_overdue_delivery_is_compared_with_its_workflow(
    store: Store, delivery: str, status: WorkflowStatus, state: str, handed_over: bool
) -> None:
    workflow = notification_id(delivery, "deployment.created", "shop", 1)

    await compare(store, FakeExecutions({workflow: status}))

    row = await row_of(store, delivery)
    assert row.state == state
    has_lost_it = "Its workflow has ended without a record" in (row.message or "")
    assert has_lost_it is (status is WorkflowStatus.CLOSED)
    assert await due(store) == ([delivery] if handed_over else [])


async def test_the_next_event_follows_a_delivery_that_was_lost(
    store: Store, channel: str, delivery: str
) -> None:
    workflow = notification_id(delivery, "deployment.created", "shop", 1)
    await compare(store, FakeExecutions({workflow: WorkflowStatus.CLOSED}))

    await dispatched(store)

    assert [row.state for row in await deliveries_of(store, channel)] == ["failed", "sending"]


async def test_what_is_not_overdue_is_left_alone(store: Store, delivery: str) -> None:
    await move(store, delivery, timedelta(minutes=5))

    await compare(store, FakeExecutions())

    assert await due(store) == []


async def test_deliveries_of_a_restored_database_end(
    store: Store, channel: str, delivery: str
) -> None:
    _, second = await deliveries_of(store, channel)
    async with store.write() as tx:
        await outbox.put(tx, outbox.NOTIFY, delivery)
        await deliveries.end_forgotten(replace(tx, now=tx.now + timedelta(hours=26)))

    first, other = await row_of(store, delivery), await row_of(store, second.id)
    assert (first.state, first.message, other.state) == ("failed", "500 no", "failed")
    assert other.message == "It waited for a day: the channel accepted too few messages."
    assert await due(store) == []


async def test_a_delivery_whose_attempt_never_began_is_compared_with_its_workflow(
    store: Store,
) -> None:
    """Its workflow was terminated while no control worker ran, or the database was restored."""
    channel = await new_channel(store)
    application = await new_application(store, "silent")
    await new_deployment(store, application)
    await dispatched(store)
    [made] = await deliveries_of(store, channel)
    async with store.write() as tx:
        long_ago = tx.now - timedelta(minutes=11)
        await outbox.close(tx, outbox.NOTIFY, made.id)
        await tx.session.execute(update(DeliveryRow).values(released_at=long_ago))
    workflow = notification_id(made.id, "deployment.created", "silent", 1)

    await compare(store, FakeExecutions({workflow: WorkflowStatus.CLOSED}))

    assert (await row_of(store, made.id)).state == "failed"
