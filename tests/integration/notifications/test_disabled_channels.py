"""A receiver that is gone, or accepts nothing for long, disables its channel."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import update

from aweigh.core.errors import Unavailable
from aweigh.notifications.delivery import DeliveryFailed, Receipt
from aweigh.store import deliveries
from aweigh.store.tables import ChannelRow
from tests.support.attempts import Round, refused
from tests.support.channels import EMAIL, channel_row, deliveries_of, new_channel

SECRET = "correct-horse-battery"
NO_ANSWER = Receipt(status=None, response="", duration=15_000)


async def test_receiver_that_is_gone_disables_the_channel_and_is_told_by_mail(
    made: Round,
) -> None:
    mail = await new_channel(made.store, **EMAIL | {"name": "mail"})
    made.senders.answers = [refused(410, is_final=True, is_gone=True)]

    await made.fail()

    channel, [told] = (
        await channel_row(made.store, made.channel),
        await deliveries_of(made.store, mail),
    )
    reason = "The receiver no longer exists: it answered 410"
    assert (channel.enabled, channel.disabled_reason) == (False, reason)
    await made.courier.deliver(told.id)
    notification = made.senders.sent[-1].notification
    assert "ops" in notification.title
    assert reason in notification.text
    assert json.loads(notification.payload)["type"] == "channel.disabled"


async def test_receiver_that_is_gone_disables_the_channel_though_the_record_fails(
    made: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.senders.answers = [refused(410, is_final=True, is_gone=True)]

    with monkeypatch.context() as broken:
        broken.setattr(deliveries, "failed", _no_record)
        with pytest.raises(Unavailable):
            await made.courier.deliver(made.delivery)

    assert not (await channel_row(made.store, made.channel)).enabled
    assert await made.courier.deliver(made.delivery) == "Dropped: The channel was disabled."


async def _no_record(*_: object, **__: object) -> bool:
    raise Unavailable("the database is busy")


async def test_channel_that_accepts_nothing_for_three_days_is_disabled(made: Round) -> None:
    async with made.store.write() as tx:
        since = tx.now - timedelta(days=3)
        await tx.session.execute(update(ChannelRow).values(failing_since=since, given_up=2))
    made.senders.answers = [DeliveryFailed("no answer", NO_ANSWER)]

    await made.fail()

    channel = await channel_row(made.store, made.channel)
    assert not channel.enabled
    assert "three days. The last attempt: no answer" in (channel.disabled_reason or "")
