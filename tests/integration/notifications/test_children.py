"""The processes that send messages to people, and how many of them there are."""

import asyncio
import ssl
from pathlib import Path

import pytest

from aweigh.notifications.senders.child import ChildFailed, Children
from aweigh.notifications.senders.child_messages import Order
from aweigh.notifications.senders.people import PeopleSender
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


async def test_target_that_hangs_leaves_room_for_others() -> None:
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


async def test_many_targets_that_hang_leave_room_for_others(tmp_path: Path) -> None:
    hangs = tmp_path / "hangs"
    hang = f"if [ -e {hangs} ] && ! grep -q push; then exec sleep 1000; fi"
    script = hang + "; echo '{\"accepted\": true}'"
    children = Children(["/bin/sh", "-c", script], slow_seconds=0)
    targets = [f"chat-{number}" for number in range(40)]
    for target in targets:  # found to be slow
        await children.send(target, ORDER)
    hangs.touch()
    hanging = [asyncio.ensure_future(children.send(one, ORDER)) for one in targets]
    await asyncio.sleep(0)

    for number in range(3):
        await children.send(f"push-{number}", Order(**ORDER | {"title": "push"}))

    assert not any(one.done() for one in hanging)
    for one in hanging:
        one.cancel()
    await asyncio.wait(hanging)


async def test_many_unknown_targets_that_hang_let_others_through_soon(tmp_path: Path) -> None:
    """As after a restart: nothing is known of any of them."""
    script = "if ! grep -q push; then exec sleep 1000; fi; echo '{\"accepted\": true}'"
    children = Children(["/bin/sh", "-c", script], seconds=2, slow_seconds=1)
    hanging = [
        asyncio.ensure_future(children.send(f"chat-{number % 20}", ORDER)) for number in range(80)
    ]
    await asyncio.sleep(0)

    await children.send("push", Order(**ORDER | {"title": "push"}))

    ended = [one for one in hanging if one.done()]
    for one in hanging:
        one.cancel()
    await asyncio.wait(hanging)
    assert len(ended) <= 20
    assert all(isinstance(one.exception(), ChildFailed) for one in ended)
