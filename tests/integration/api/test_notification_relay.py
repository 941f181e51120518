"""The relay of notifications hands deliveries over to Temporal, each when it is its turn."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from api.notification_relay import NotificationRelay
from aweigh.deployments.workflow_ids import notification_id
from aweigh.store import channels, deliveries, dispatch, outbox
from aweigh.store.database import Store
from aweigh.store.tables import OutboxRow
from tests.support.channels import begin, channel_of, deliver, deliveries_of, new_channel
from tests.support.installation import new_application, new_deployment, start, succeed
from tests.support.temporal import FakeTemporal, rpc_error


@pytest.fixture
async def relay(store: Store, temporal: FakeTemporal) -> AsyncIterator[NotificationRelay]:
    made = NotificationRelay(store, temporal.connect)
    running = asyncio.create_task(made.run())
    yield made
    assert not running.done()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def until(relay: NotificationRelay, condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(300):
        while not condition():
            relay.wake()
            await asyncio.sleep(0.01)


async def until_stored(relay: NotificationRelay, condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(300):
        while not await condition():
            relay.wake()
            await asyncio.sleep(0.01)


async def ids(store: Store, channel: str) -> list[str]:
    return [row.id for row in await deliveries_of(store, channel)]


async def is_empty(store: Store) -> bool:
    async with store.read() as tx:
        return not await tx.session.scalar(
            select(func.count()).where(OutboxRow.kind == "notify").select_from(OutboxRow)
        )


async def test_an_event_starts_a_workflow_for_each_channel(
    store: Store, temporal: FakeTemporal, relay: NotificationRelay
) -> None:
    ops, chat = await new_channel(store), await new_channel(store, name="Team Chat")
    await new_deployment(store, await new_application(store))

    await until(relay, lambda: len(temporal.notified) == 2)

    [first], [second] = await ids(store, ops), await ids(store, chat)
    kind = "deployment.created"
    assert sorted(temporal.notified) == sorted(
        [
            (notification_id(first, kind, "shop", 1), first),
            (notification_id(second, kind, "shop", 1), second),
        ]
    )
    assert f"notification/shop/1-created/{first[-6:]}" in dict(temporal.notified)


async def test_events_of_a_deployment_are_handed_over_in_order(
    store: Store, temporal: FakeTemporal, relay: NotificationRelay
) -> None:
    channel = await new_channel(store)
    made = await new_deployment(store, await new_application(store))
    await start(store, made)
    await succeed(store, made)

    for count in (1, 2, 3):
        await until(relay, lambda count=count: len(temporal.notified) == count)  # type: ignore[misc]
        await deliver(store, temporal.notified[-1][1])

    assert [delivery for _, delivery in temporal.notified] == await ids(store, channel)
    assert await is_empty(store)


async def test_what_happened_while_temporal_was_away_is_handed_over_when_it_is_back(
    store: Store, temporal: FakeTemporal, relay: NotificationRelay
) -> None:
    temporal.away = True
    channel = await new_channel(store)
    await new_deployment(store, await new_application(store))

    async def is_sending() -> bool:
        return [row.state for row in await deliveries_of(store, channel)] == ["sending"]

    await until_stored(relay, is_sending)
    assert temporal.notified == []

    temporal.away = False
    await until(relay, lambda: temporal.notified)


async def test_a_delivery_that_runs_already_is_no_error(
    store: Store, temporal: FakeTemporal, relay: NotificationRelay
) -> None:
    channel = await new_channel(store)
    async with store.write() as tx:
        made = await deliveries.test(tx, await channels.find_row(tx, channel))
    workflow = notification_id(made.id, "channel.test")
    temporal.failing = {workflow: WorkflowAlreadyStartedError(workflow, "NotificationWorkflow")}

    async def is_handed_over() -> bool:
        async with store.read() as tx:
            row = await tx.session.scalar(select(OutboxRow).where(OutboxRow.kind == "notify"))
        return row is not None and row.attempts == 1

    await until_stored(relay, is_handed_over)
    assert workflow == f"notification/test/{made.id[-6:]}"


async def test_what_was_delivered_before_the_database_was_restored_holds_nothing_up(
    store: Store, temporal: FakeTemporal, relay: NotificationRelay
) -> None:
    channel = await new_channel(store)
    async with store.write() as tx:
        row = await channels.find_row(tx, channel)
        known = [(await deliveries.test(tx, row)).id for _ in range(dispatch.WINDOW + 1)]
        workflows = [notification_id(one, "channel.test") for one in known]
        temporal.closed = set(workflows)
        temporal.failing = {
            one: WorkflowAlreadyStartedError(one, "NotificationWorkflow") for one in workflows
        }
    await new_deployment(store, await new_application(store))

    await until(relay, lambda: temporal.notified)

    found = {row.id: row for row in await deliveries_of(store, channel)}
    assert {found[one].state for one in known} == {"failed"}
    assert "the database was restored" in (found[known[0]].message or "")
    assert temporal.notified[0][1] not in known


async def test_a_channel_that_is_renamed_is_told_by_the_same_workflow(
    store: Store, temporal: FakeTemporal, relay: NotificationRelay
) -> None:
    channel = await new_channel(store)
    await new_deployment(store, await new_application(store))
    await until(relay, lambda: temporal.notified)

    async with store.write() as tx:
        row = await channels.find_row(tx, channel, lock=True)
        await channels.change(tx, row, channel_of(name="renamed"))
        await outbox.put(tx, outbox.NOTIFY, temporal.notified[0][1])
    await until(relay, lambda: len(temporal.notified) == 2)

    assert len(set(temporal.notified)) == 1


async def test_one_that_cannot_be_handed_over_holds_no_other_up(
    store: Store, temporal: FakeTemporal, relay: NotificationRelay
) -> None:
    channel = await new_channel(store)
    async with store.write() as tx:
        row = await channels.find_row(tx, channel)
        first = (await deliveries.test(tx, row)).id
        temporal.failing = {
            notification_id(first, "channel.test"): rpc_error(RPCStatusCode.UNAVAILABLE)
        }
        second = (await deliveries.test(tx, row)).id

    await until(relay, lambda: temporal.notified)
    assert [one for _, one in temporal.notified] == [second]

    temporal.failing = {}
    await until(relay, lambda: len(temporal.notified) == 2)


async def test_a_delivery_of_a_deleted_channel_ends_quietly(
    store: Store, temporal: FakeTemporal, relay: NotificationRelay
) -> None:
    temporal.away = True
    channel = await new_channel(store)
    async with store.write() as tx:
        made = await deliveries.test(tx, await channels.find_row(tx, channel))
        await channels.delete(tx, await channels.find_row(tx, channel, lock=True))

    async def closed() -> bool:
        return await is_empty(store)

    await until_stored(relay, closed)
    assert await begin(store, made.id) is None


async def test_a_failing_database_does_not_end_the_relay(
    store: Store, temporal: FakeTemporal, relay: NotificationRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = []

    async def fail(*_: Any) -> bool:
        failed.append(True)
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr("aweigh.store.dispatch.has_channels", fail)
        await until(relay, lambda: failed)
    await new_channel(store)
    await new_deployment(store, await new_application(store))

    await until(relay, lambda: temporal.notified)
