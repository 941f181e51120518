"""What becomes of a delivery, and of a channel that accepts what it is sent, or does not."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete

from aweigh.core.errors import Unreadable
from aweigh.deployments.deployment import EventKind
from aweigh.notifications.channel import Email
from aweigh.notifications.delivery import Receipt
from aweigh.notifications.delivery_state import NoticeKind
from aweigh.store import channels, deliveries, dispatch, outbox, retention
from aweigh.store.database import Store
from aweigh.store.tables import ChannelRow, DeliveryRow, EventRow
from tests.support.channels import (
    BROKEN,
    EMAIL,
    TAKEN,
    begin,
    channel_of,
    channel_row,
    deliver,
    deliveries_of,
    dispatched,
    fail,
    new_channel,
    states,
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


async def test_an_attempt_has_all_that_is_needed_to_send(
    store: Store, channel: str, delivery: str
) -> None:
    attempt = await begin(store, delivery)

    assert attempt is not None
    assert (attempt.number, attempt.kind, attempt.channel_id) == (1, EventKind.CREATED, channel)
    assert attempt.channel == channel_of()
    assert [secret[:6] for secret in attempt.signing_secrets] == ["whsec_"]
    assert attempt.event is not None
    assert attempt.event.deployment.application.slug == "shop"
    assert attempt.content is None
    assert attempt.deadline == attempt.created_at + timedelta(days=1)
    async with store.read() as tx:
        assert await outbox.due_notifications(tx) == []


async def test_a_repeated_attempt_counts_and_keeps_the_id_of_the_message(
    store: Store, delivery: str
) -> None:
    first = await begin(store, delivery)
    await fail(store, delivery)
    again = await begin(store, delivery)

    assert first is not None
    assert again is not None
    assert (first.number, again.number) == (1, 3)
    assert first.message_id == again.message_id


async def test_an_accepted_delivery_ends(store: Store, channel: str, delivery: str) -> None:
    await fail(store, delivery)
    await deliver(store, delivery)

    row, told = await row_of(store, delivery), await channel_row(store, channel)
    assert (row.state, row.attempts, row.status, row.duration_ms) == ("delivered", 2, 204, 12)
    assert (row.message, row.next_attempt_at, row.ended_at) == (None, None, told.last_success_at)
    assert (told.failing_since, told.given_up) == (None, 0)
    assert await begin(store, delivery) is None


async def test_a_failed_attempt_says_why_and_when_the_next_one_is(
    store: Store, channel: str, delivery: str
) -> None:
    assert not await fail(store, delivery)

    row, told = await row_of(store, delivery), await channel_row(store, channel)
    assert (row.state, row.status, row.message, row.response) == ("retrying", 500, "500 no", "no")
    assert row.next_attempt_at is not None
    assert row.ended_at is None
    assert told.failing_since is not None


async def test_an_ended_delivery_stays_as_it_is(store: Store, delivery: str) -> None:
    await fail(store, delivery, again=False)
    async with store.write() as tx:
        await deliveries.delivered(tx, delivery, TAKEN)

    assert (await row_of(store, delivery)).state == "failed"


async def test_a_channel_that_fails_for_three_days_is_to_be_disabled(
    store: Store, channel: str
) -> None:
    application = await new_application(store)
    attempts = ((0, False, False), (20, True, False), (40, False, False), (73, True, True))
    for hours, again, disabled in attempts:
        await new_deployment(store, application)
        await dispatched(store)
        newest = (await deliveries_of(store, channel))[-1].id
        later = timedelta(hours=hours)
        assert await fail(store, newest, later=later, again=again) is disabled


async def test_two_deliveries_are_given_up_before_a_quiet_channel_is_disabled(
    store: Store, channel: str, delivery: str
) -> None:
    assert not await fail(store, delivery, again=False)
    await new_deployment(store, await new_application(store, "quiet"))
    await dispatched(store)
    newest = (await deliveries_of(store, channel))[-1].id

    for number in range(20):
        assert not await fail(store, newest, later=timedelta(days=10, minutes=number))
    assert await fail(store, newest, later=timedelta(days=11), again=False)


async def test_a_success_in_between_keeps_a_channel(store: Store, channel: str) -> None:
    application = await new_application(store)
    for hours in range(0, 96, 12):
        await new_deployment(store, application)
        await dispatched(store)
        newest = (await deliveries_of(store, channel))[-1].id
        if hours == 48:
            await deliver(store, newest)
        else:
            assert not await fail(store, newest, later=timedelta(hours=hours), again=False)


async def test_a_disabled_channel_drops_what_waits_and_mail_says_so(
    store: Store, channel: str
) -> None:
    mail = await new_channel(store, name="mail", events=[], **EMAIL)
    await new_channel(store, name="old", enabled=False, **EMAIL)
    made = await new_deployment(store, await new_application(store))
    await start(store, made)
    await dispatched(store)
    sending, _ = await deliveries_of(store, channel)

    for _ in range(2):
        async with store.write() as tx:
            await channels.disable(tx, channel, "It answered 410.", tx.now)

    told = await channel_row(store, channel)
    assert (told.enabled, told.disabled_reason) == (False, "It answered 410.")
    assert await states(store, channel) == [("created", "sending"), ("started", "dropped")]
    assert await begin(store, sending.id) is None
    assert (await row_of(store, sending.id)).state == "dropped"
    [notice] = await deliveries_of(store, mail)
    attempt = await begin(store, notice.id)
    assert attempt is not None
    assert (attempt.kind, attempt.event, attempt.signing_secrets) == (NoticeKind.DISABLED, None, ())
    assert attempt.content == {
        "channel": {"id": channel, "name": "ops", "kind": "webhook"}, "reason": "It answered 410.",
    }  # fmt: skip
    assert isinstance(attempt.channel, Email)


async def test_a_channel_of_kind_email_does_not_mail_its_own_end(store: Store) -> None:
    mail = await new_channel(store, **EMAIL)

    async with store.write() as tx:
        await channels.disable(tx, mail, "No success for three days.", tx.now)

    assert await deliveries_of(store, mail) == []


async def test_deliveries_of_a_deleted_channel_end_quietly(
    store: Store, channel: str, delivery: str
) -> None:
    await begin(store, delivery)
    async with store.write() as tx:
        await tx.session.execute(delete(ChannelRow).where(ChannelRow.id == channel))

    assert await begin(store, delivery) is None
    async with store.write() as tx:
        await deliveries.delivered(tx, delivery, TAKEN)
        assert not await deliveries.failed(tx, delivery, GONE, "gone", retry_at=None)
        await channels.disable(tx, channel, "gone", tx.now)


async def test_deliveries_go_with_their_events(store: Store, delivery: str) -> None:
    async with store.write() as tx:
        await tx.session.execute(delete(EventRow))

    assert await begin(store, delivery) is None


async def test_notices_go_by_their_age(store: Store, channel: str) -> None:
    async with store.write() as tx:
        row = await channels.find_row(tx, channel)
        made = await deliveries.test(tx, row)
    for days, left in ((89, 1), (91, 0)):
        async with store.write() as tx:
            await retention.forget(replace(tx, now=tx.now + timedelta(days=days)), timedelta(90))
        assert len(await deliveries_of(store, channel)) == left
    assert await begin(store, made.id) is None


async def test_the_day_of_a_delivery_begins_with_its_hand_over(store: Store, channel: str) -> None:
    await new_deployment(store, await new_application(store))
    async with store.write() as tx:
        await dispatch.dispatch(tx)
        then = replace(tx, now=tx.now + timedelta(hours=20))
        await dispatch.release(then, busy=100, while_deploying=100)
    [row] = await deliveries_of(store, channel)

    attempt = await begin(store, row.id, later=timedelta(hours=43))

    assert attempt is not None
    assert attempt.deadline == row.created_at + timedelta(hours=44)


async def test_a_delivery_that_was_handed_over_too_late_fails(store: Store, delivery: str) -> None:
    assert await begin(store, delivery, later=timedelta(hours=26)) is None

    row = await row_of(store, delivery)
    assert (row.state, row.message) == ("failed", "It could not be handed over within a day.")


async def test_unreadable_settings_are_reported(store: Store, delivery: str, channel: str) -> None:
    async with store.write() as tx:
        (await channels.find_row(tx, channel, lock=True)).settings = "v1:00000000:lost"

    with pytest.raises(Unreadable):
        await begin(store, delivery)


async def test_the_last_delivery_of_a_channel_is_remembered(
    store: Store, channel: str, delivery: str
) -> None:
    await fail(store, delivery, receipt=BROKEN)

    told = (await channel_row(store, channel)).last_delivery
    assert told is not None
    assert '"state": "retrying", "status": 500, "message": "500 no"' in told


async def test_a_message_is_told_what_was_answered_to_the_first_one(
    store: Store, channel: str
) -> None:
    deployment = await new_deployment(store, await new_application(store))
    other = await new_channel(store, name="other")
    await start(store, deployment)
    await dispatched(store)
    answered = []
    for one in (other, channel, channel):
        row = next(row for row in await deliveries_of(store, one) if row.state == "sending")
        attempt = await begin(store, row.id)
        assert attempt is not None
        answered.append(attempt.answered)
        async with store.write() as tx:
            await deliveries.delivered(tx, row.id, replace(TAKEN, response=f"by {one}"))
        await dispatched(store)

    assert answered == ["", "", f"by {channel}"]
