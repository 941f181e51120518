"""A channel whose target was changed begins anew, whatever the old one said."""

from datetime import timedelta

import pytest

from aweigh.notifications.delivery import Receipt
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
from tests.support.installation import new_application, new_deployment, start

GONE = Receipt(status=410, response="gone", duration=5)


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


async def retarget(store: Store, channel: str) -> None:
    async with store.write() as tx:
        row = await channels.find_row(tx, channel, lock=True)
        await channels.change(tx, row, channel_of(url="https://hooks.example.com/corrected"))


async def test_what_an_old_target_said_does_not_count_against_the_new_one(
    store: Store, channel: str, delivery: str
) -> None:
    await fail(store, delivery)
    attempt = await begin(store, delivery)
    assert attempt is not None
    await retarget(store, channel)

    async with store.write() as tx:
        later = tx.now + timedelta(hours=1)
        await deliveries.failed(tx, delivery, GONE, "410", retry_at=later, paused_until=later)
        await channels.disable(tx, channel, "It answered 410.", attempt.began)

    row = await channel_row(store, channel)
    assert (row.enabled, row.failing_since, row.given_up, row.paused_until) == (True, None, 0, None)
    assert (await row_of(store, delivery)).state == "retrying"

    await fail(store, delivery, later=timedelta(seconds=1))
    assert (await channel_row(store, channel)).failing_since is not None


async def test_a_change_that_leaves_the_target_changes_nothing_of_that(
    store: Store, channel: str, delivery: str
) -> None:
    await fail(store, delivery)

    async with store.write() as tx:
        row = await channels.find_row(tx, channel, lock=True)
        await channels.change(tx, row, channel_of(name="renamed", applications=["shop"]))

    row = await channel_row(store, channel)
    assert (row.retargeted_at, row.failing_since is None) == (None, False)


async def test_an_answer_of_another_target_is_not_referred_to(
    store: Store, channel: str, delivery: str
) -> None:
    await deliver(store, delivery)
    await retarget(store, channel)
    await start(store, (await row_of(store, delivery)).deployment_id or "")
    await dispatched(store)

    _, second = await deliveries_of(store, channel)
    attempt = await begin(store, second.id)

    assert attempt is not None
    assert attempt.answered == ""
