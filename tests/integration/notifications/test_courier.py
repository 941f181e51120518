"""The courier makes one attempt, and records what came of it."""

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, update

from aweigh.deployments.deployment import EventKind, Reason
from aweigh.notifications.delivery import Receipt
from aweigh.store import channels, deliveries, lifecycle, logs, outbox
from aweigh.store.database import Store
from aweigh.store.tables import ChannelRow, DeliveryRow
from tests.support.attempts import BusyStore, Round, refused, round_of
from tests.support.channels import channel_row
from tests.support.installation import (
    new_vault,
    start,
)
from tests.support.senders import FakeSenders

SECRET = "correct-horse-battery"
NO_ANSWER = Receipt(status=None, response="", duration=15_000)


async def test_accepted_notification_is_recorded(made: Round) -> None:
    assert await made.deliver() == "Delivered by attempt 1, answered 204."

    row, [sent] = await made.row(), made.senders.sent
    assert (row.state, row.attempts, row.status) == ("delivered", 1, 204)
    assert sent.notification.id == row.message_id
    assert sent.notification.thread == made.deployment
    payload = json.loads(sent.notification.payload)
    assert (payload["type"], payload["data"]["id"]) == ("deployment.created", made.deployment)
    assert [secret[:6] for secret in sent.signing_secrets] == ["whsec_"]


async def test_failed_attempt_is_recorded_with_the_time_of_the_next(made: Round) -> None:
    made.senders.answers = [refused(500), refused(503), refused(429, retry_after=7200)]

    failures = [await made.fail() for _ in range(3)]

    row = await made.row()
    assert [str(one) for one in failures] == [
        "it answered 500", "it answered 503", "it answered 429",
    ]  # fmt: skip
    assert [one.again_in for one in failures] == [
        timedelta(seconds=5), timedelta(seconds=10), timedelta(hours=2),
    ]  # fmt: skip
    assert (row.state, row.attempts, row.status, row.response) == ("retrying", 3, 429, "no")
    assert row.last_attempt_at is not None
    assert row.next_attempt_at is not None
    assert row.next_attempt_at - row.last_attempt_at >= timedelta(hours=2)


async def test_receiver_that_limits_what_it_takes_rests(made: Round) -> None:
    made.senders.answers = [refused(429, retry_after=90)]

    failure = await made.fail()

    row, channel = await made.row(), await channel_row(made.store, made.channel)
    assert failure.again_in == timedelta(seconds=90)
    assert row.next_attempt_at is not None
    assert channel.paused_until == row.next_attempt_at


async def test_every_attempt_sends_the_same_message(made: Round) -> None:
    made.senders.answers = [refused(500)]
    await made.fail()
    await made.deliver()

    first, second = [sent.notification for sent in made.senders.sent]
    assert first == second


async def test_receiver_that_fails_for_an_hour_gets_the_message_then(made: Round) -> None:
    passed, pauses = timedelta(), []
    while passed < timedelta(hours=1):
        made.senders.answers = [refused(500)]
        pause = (await made.fail()).again_in
        assert pause is not None
        passed += pause
        pauses.append(pause)
        async with made.store.write() as tx:
            row = await tx.session.get_one(DeliveryRow, made.delivery)
            assert row.released_at is not None
            row.released_at -= pause  # as if it had been waited for

    assert await made.deliver() == f"Delivered by attempt {len(pauses) + 1}, answered 204."
    assert pauses == sorted(pauses)
    assert 8 <= len(pauses) <= 14  # neither a storm nor an hour too late
    assert pauses[-1] <= timedelta(hours=1)
    assert (await channel_row(made.store, made.channel)).failing_since is None


async def test_final_answer_ends_the_delivery(made: Round) -> None:
    made.senders.answers = [refused(400, is_final=True)]

    failure = await made.fail()

    row = await made.row()
    assert failure.again_in is None
    assert (row.state, row.message, row.status) == ("failed", "it answered 400", 400)


async def test_no_attempt_follows_after_a_day(made: Round) -> None:
    async with made.store.write() as tx:
        late = tx.now - timedelta(hours=24, seconds=1)
        await tx.session.execute(update(DeliveryRow).values(released_at=late))
    made.senders.answers = [refused(500)]

    assert (await made.fail()).again_in is None
    assert (await made.row()).state == "failed"


async def test_test_of_a_channel_is_one_attempt(made: Round) -> None:
    async with made.store.write() as tx:
        row = await channels.find_row(tx, made.channel, lock=True)
        made.delivery = (await deliveries.test(tx, row)).id
    made.senders.answers = [refused(500, retry_after=5)]

    failure = await made.fail()

    notification = made.senders.sent[-1].notification
    assert failure.again_in is None
    assert (await made.row()).state == "failed"
    assert "ops" in notification.text
    assert json.loads(notification.payload)["data"]["channel"]["id"] == made.channel


async def test_delivery_of_a_deleted_channel_ends_quietly(made: Round) -> None:
    async with made.store.write() as tx:
        await tx.session.execute(delete(ChannelRow))

    assert await made.deliver() == "Dropped: its channel or its event was deleted."
    assert made.senders.sent == []


async def test_channel_deleted_during_an_attempt_changes_nothing_for_it(made: Round) -> None:
    class Deleting(FakeSenders):
        async def send(self, *given: Any) -> Receipt:
            async with made.store.write() as tx:
                await tx.session.execute(delete(ChannelRow))
            return await super().send(*given)

    made.senders = Deleting()

    assert await made.deliver() == "Delivered by attempt 1, answered 204."


async def test_ended_delivery_is_not_sent_again(made: Round) -> None:
    """The worker was killed after the record, so Temporal repeats the attempt."""
    await made.deliver()

    assert await made.deliver() == "Delivered."
    assert len(made.senders.sent) == 1


async def test_delivery_that_has_failed_fails_again(made: Round) -> None:
    made.senders.answers = [refused(400, is_final=True)]
    await made.fail()

    again = await made.fail()

    assert (str(again), again.again_in) == ("it answered 400", None)
    assert len(made.senders.sent) == 1


async def test_busy_database_causes_no_second_message(url: str) -> None:
    store = BusyStore(url, new_vault())

    class Blocking(FakeSenders):
        async def send(self, *given: Any) -> Receipt:
            store.busy = 2
            return await super().send(*given)

    made = await round_of(store)
    made.senders = Blocking()
    await made.deliver()

    assert (await made.row()).state == "delivered"
    assert len(made.senders.sent) == 1
    await store.close()


async def test_unexpected_error_is_recorded_without_its_text(made: Round) -> None:
    made.senders.answers = [ValueError(f"https://hooks.example.com/{SECRET}")]

    failure = await made.fail()

    row = await made.row()
    assert failure.again_in == timedelta(seconds=5)
    assert row.message == str(failure)
    assert "ValueError" in str(failure)
    assert SECRET not in str(failure)


async def test_channel_that_cannot_be_read_ends_its_deliveries(made: Round) -> None:
    async with made.store.write() as tx:
        await tx.session.execute(update(ChannelRow).values(settings="v1:damaged"))

    failure = await made.fail()

    assert failure.again_in is None
    assert (await made.row()).state == "failed"
    assert (await channel_row(made.store, made.channel)).failing_since is None
    async with made.store.read() as tx:
        assert await outbox.due_notifications(tx) == []


async def test_cancelled_delivery_has_failed(made: Round) -> None:
    await made.courier.cancelled(made.delivery)

    row = await made.row()
    assert (row.state, row.message) == ("failed", "It was cancelled in Temporal.")
    assert (await channel_row(made.store, made.channel)).failing_since is None


async def test_failed_deployment_shows_the_last_masked_lines_of_its_log(store: Store) -> None:
    made = await round_of(store, env={"TOKEN": SECRET})
    lines = [f"2026-11-30T20:05:50.123Z line {number}" for number in range(30)]
    lines[-1] += f" {SECRET}"
    async with store.write() as tx:
        await logs.append(tx, made.deployment, 0, ("\n".join(lines) + "\n").encode())
    await made.deliver()
    await start(store, made.deployment)
    await made.next()
    await made.deliver()
    async with store.write() as tx:
        await lifecycle.failed(tx, made.deployment, Reason.UNHEALTHY, "no")
    await made.next()
    await made.deliver()

    *others, failed = [sent.notification for sent in made.senders.sent]
    assert json.loads(failed.payload)["type"] == EventKind.FAILED
    assert failed.log == (*(f"line {number}" for number in range(15, 29)), "line 29 **********")
    assert [one.log for one in others] == [(), ()]
