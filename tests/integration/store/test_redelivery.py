"""Deliveries that somebody asks for: tests, and messages that are delivered once more."""

import pytest

from aweigh.core.errors import Conflict, NotFound
from aweigh.notifications.delivery_state import NoticeKind
from aweigh.store import channels, deliveries
from aweigh.store.database import Store
from aweigh.store.tables import DeliveryRow
from tests.support.channels import (
    begin,
    channel_of,
    channel_row,
    deliver,
    deliveries_of,
    dispatched,
    fail,
    new_channel,
)
from tests.support.installation import new_application, new_deployment


@pytest.fixture
async def channel(store: Store) -> str:
    return await new_channel(store)


@pytest.fixture
async def delivery(store: Store, channel: str) -> str:
    """Of a deployment that was created."""
    await new_deployment(store, await new_application(store))
    await dispatched(store)
    [row] = await deliveries_of(store, channel)
    return row.id


async def row_of(store: Store, delivery: str) -> DeliveryRow:
    async with store.read() as tx:
        return await tx.session.get_one(DeliveryRow, delivery)


async def test_tests_that_fail_do_not_count_against_a_channel(store: Store, channel: str) -> None:
    async with store.write() as tx:
        made = await deliveries.test(tx, await channels.find_row(tx, channel))

    await fail(store, made.id, again=False)

    assert (await channel_row(store, channel)).failing_since is None


async def test_a_redelivery_is_a_new_delivery_of_the_same_message(
    store: Store, channel: str, delivery: str
) -> None:
    await deliver(store, delivery)
    async with store.write() as tx:
        row = await channels.find_row(tx, channel)
        again = (await deliveries.redeliver(tx, row, delivery)).id
    await dispatched(store)

    first, second = await deliveries_of(store, channel)
    assert (first.id, second.id) == (delivery, again)
    assert (first.state, second.state) == ("delivered", "sending")
    assert first.message_id == second.message_id
    attempt = await begin(store, again)
    assert attempt is not None
    assert attempt.number == 1


async def test_what_has_not_ended_is_not_delivered_again(
    store: Store, channel: str, delivery: str
) -> None:
    other = await new_channel(store, name="other")
    async with store.write() as tx:
        row = await channels.find_row(tx, channel)
        with pytest.raises(Conflict, match="has not ended"):
            await deliveries.redeliver(tx, row, delivery)
        with pytest.raises(NotFound):
            await deliveries.redeliver(tx, await channels.find_row(tx, other), delivery)
        with pytest.raises(NotFound):
            await deliveries.redeliver(tx, row, "dlv_x")


async def test_a_disabled_channel_gets_nothing_again(
    store: Store, channel: str, delivery: str
) -> None:
    await deliver(store, delivery)
    async with store.write() as tx:
        row = await channels.find_row(tx, channel, lock=True)
        await channels.change(tx, row, channel_of(enabled=False))
        with pytest.raises(Conflict, match="is disabled"):
            await deliveries.redeliver(tx, row, delivery)


async def test_a_test_reaches_a_disabled_channel(store: Store) -> None:
    channel = await new_channel(store, enabled=False)
    async with store.write() as tx:
        made = await deliveries.test(tx, await channels.find_row(tx, channel))

    attempt = await begin(store, made.id)

    assert attempt is not None
    assert (attempt.kind, attempt.event) == (NoticeKind.TEST, None)
    assert attempt.content == {"channel": {"id": channel, "name": "ops", "kind": "webhook"}}
