"""The processes that send messages to people, and how many of them there are."""

import asyncio
import ssl

import pytest

from aweigh.notifications.senders.child import ChildFailed, Children
from aweigh.notifications.senders.child_messages import Order
from aweigh.notifications.senders.people import PeopleSender
from aweigh.notifications.senders.places import Places
from tests.support.notifying import LOOPBACK, channel, failure, notification

NTFY = channel("ntfy", url="https://ntfy.sh/deployments", token="tk_abcdefgh")


GOTIFY = channel("gotify", url="https://push.test/base", token="AbCdEf.1234")


ORDER = Order(
    id="1", thread="", answered="", title="", body="", format="text", tone="info", private=[]
)


async def test_child_that_hangs_is_killed(tls: ssl.SSLContext) -> None:
    children = Children(["/bin/sh", "-c", "sleep 1000"], seconds=0.3)
    error = await failure(PeopleSender(LOOPBACK, children).send(GOTIFY, notification()))

    assert str(error) == "The process that sends the message took more than 0.3 seconds."
    assert not error.is_final


@pytest.mark.parametrize("script", ["exit 3", "echo nonsense", "echo '{\"x\": 1}'"])
async def test_child_that_reports_nothing_is_a_failure(script: str) -> None:
    children = Children(["/bin/sh", "-c", script])
    error = await failure(PeopleSender(LOOPBACK, children).send(GOTIFY, notification()))

    assert "The process that sends the message ended with code" in str(error)


async def test_order_is_passed_neither_in_arguments_nor_in_the_environment() -> None:
    children = Children(["/bin/sh", "-c", "cat >/dev/null; env; exit 1"])

    with pytest.raises(ChildFailed):
        await children.send("x", ORDER)


async def test_child_that_reports_too_much_is_a_failure() -> None:
    children = Children(["/bin/sh", "-c", "cat >/dev/null; exec yes"])
    error = await failure(PeopleSender(LOOPBACK, children).send(GOTIFY, notification()))

    assert "The process that sends the message ended with code" in str(error)


async def test_targets_that_hang_leave_room_for_others() -> None:
    script = "if grep -q push.test; then exec sleep 1000; else echo '{\"accepted\": true}'; fi"
    sender = PeopleSender(LOOPBACK, Children(["/bin/sh", "-c", script]))
    hanging = [
        asyncio.ensure_future(failure(sender.send(GOTIFY, notification()))) for _ in range(40)
    ]
    await asyncio.sleep(0)

    for _ in range(3):
        await sender.send(NTFY, notification())

    assert not any(one.done() for one in hanging)
    for one in hanging:
        one.cancel()
    await asyncio.wait(hanging)


async def test_duration_is_that_of_the_message_without_the_wait_before() -> None:
    children = Children(["/bin/sh", "-c", "sleep 0.3; echo '{\"accepted\": true}'"])
    sender = PeopleSender(LOOPBACK, children)

    receipts = await asyncio.gather(*(sender.send(GOTIFY, notification()) for _ in range(3)))

    total = sum(one.duration for one in receipts)  # one after the other, as nothing is known of it
    assert max(one.duration for one in receipts) < 0.7 * total


async def test_message_without_a_place_for_long_fails_and_may_be_repeated() -> None:
    places = Places(patience=0.05)
    sender = PeopleSender(LOOPBACK, Children(["/bin/sh", "-c", "sleep 1000"], places))
    hanging = asyncio.ensure_future(sender.send(GOTIFY, notification()))
    await asyncio.sleep(0)

    error = await failure(sender.send(GOTIFY, notification()))

    assert "was not sent yet: other receivers took too long" in str(error)
    assert (error.is_final, error.receipt.duration) == (False, 0)
    hanging.cancel()
    await asyncio.wait([hanging])
