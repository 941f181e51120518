"""No channel leads into a private network, however its target is written or changes."""

import asyncio
import ssl
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from aweigh.core.private_target import PrivateTarget
from aweigh.core.settings import Settings
from aweigh.notifications.channel import Channel
from aweigh.notifications.delivery import DeliveryFailed
from aweigh.notifications.senders.child import Children
from aweigh.notifications.senders.child_messages import Order, Report
from aweigh.notifications.senders.guarded_network import GuardedNetwork
from aweigh.notifications.senders.senders import Senders
from aweigh.notifications.senders.webhook import WebhookSender
from tests.support.notifying import (
    LOOPBACK,
    SECRET,
    channel,
    failure,
    notification,
    people,
    unchecked,
    webhook,
)
from tests.support.receivers import Answer, mail_server, receiver

#: Ways to write 127.0.0.1, and other addresses of a machine's own networks.
LOCAL = [
    "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1",
    "[::ffff:127.0.0.1]", "[::1]", "[::]", "0.0.0.1", "0", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "169.254.169.254", "[fe80::1]", "10.0.0.1", "192.168.0.1", "100.100.100.200", "[fd00::1]",
]  # fmt: skip


async def refused(senders: Senders, to: Channel) -> DeliveryFailed:
    error = await failure(senders.send(to, (SECRET,), notification()))
    assert error.receipt.status is None
    return error


@pytest.mark.parametrize("host", LOCAL)
async def test_webhook_does_not_reach_a_private_address(strict: Senders, host: str) -> None:
    async with receiver() as inside:
        error = await refused(strict, webhook(f"http://{host}:{inside.port}/"))

        assert inside.connections == 0
    if "resolved" not in str(error) and "not valid" not in str(error):
        assert "is in a private network, where channels are not allowed" in str(error)
        assert "AWEIGH_PRIVATE_TARGETS" in str(error)
        assert error.is_final


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001"])
async def test_chat_does_not_reach_a_private_address(strict: Senders, host: str) -> None:
    async with receiver() as inside:
        valid = channel("gotify", url="https://push.test", token="AbCdEf1")
        to = unchecked(valid, url=f"http://{host}:{inside.port}")
        error = await refused(strict, to)

        assert inside.connections == 0
    assert "is in a private network" in str(error)
    assert error.is_final


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1"])
async def test_mail_does_not_reach_a_private_address(
    strict: Senders, tls: ssl.SSLContext, host: str
) -> None:
    async with mail_server(tls) as server:
        fields = {"from": "a@example.com", "to": ["b@example.com"]}
        valid = channel("email", host="mail.test", port=server.port, **fields)
        error = await refused(strict, unchecked(valid, host=host))

        assert server.envelopes == []
    assert "is in a private network" in str(error)


async def test_name_of_a_public_service_that_leads_inside_is_refused(tls: ssl.SSLContext) -> None:
    """As a name server may answer that belongs to the attacker."""
    to = channel("slack", url="https://hooks.slack.com/services/T12345678/B12345678/abcDEFghiJKL")
    async with receiver(tls=tls) as inside:
        error = await failure(people(inside.port, ()).send(to, notification()))

        assert inside.connections == 0
    assert str(error).startswith("hooks.slack.com (127.0.0.1) is in a private network")


async def test_answer_counts_although_another_address_of_the_host_is_private(
    tls: ssl.SSLContext,
) -> None:
    to = channel("gotify", url="https://push.test", token="AbCdEf.1234")
    async with receiver(lambda request: Answer(503), tls) as chat:
        sender = people(chat.port, LOOPBACK, ("127.0.0.2", "127.0.0.1"))
        error = await failure(sender.send(to, notification()))

    assert (str(error), error.is_final) == ("push.test answered 503.", False)


async def test_open_address_opens_no_other(senders: Senders) -> None:
    async with receiver() as inside:
        error = await refused(senders, webhook(f"http://127.0.0.2:{inside.port}/"))

    assert "127.0.0.2" in str(error)


async def test_port_of_a_target_opens_no_other() -> None:
    async with receiver() as allowed, receiver() as other:
        settings = {"private_targets": [f"127.0.0.1:{allowed.port}"]}
        senders = Senders(Settings.model_validate(settings))
        await senders.send(webhook(allowed.url), (SECRET,), notification())
        await refused(senders, webhook(other.url))
        await senders.close()

        assert (len(allowed.requests), other.connections) == (1, 0)


class Rebinding:
    """A name server whose answer changes each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self._answers.pop(0)


async def attempt(resolve: Rebinding, port: int, private: Any = ()) -> Any:
    sender = WebhookSender(GuardedNetwork(private, resolve), ssl.create_default_context())
    try:
        url = f"http://rebinding.test:{port}/"
        return await sender.send(url, (SECRET,), notification(), [], seconds=0.5)
    finally:
        await sender.close()


async def test_connection_goes_to_the_address_that_was_checked() -> None:
    """198.51.100.1 is nobody's: had the name been asked again, the second answer would be used."""
    resolve = Rebinding(["198.51.100.1"], ["127.0.0.1"])
    async with receiver() as inside:
        await failure(attempt(resolve, inside.port))

        assert inside.connections == 0
    assert resolve.asked == 1


@pytest.mark.parametrize("first", ["127.0.0.2", "192.0.2.1"])
async def test_chat_whose_name_leads_inside_the_next_time_is_not_reached(
    tls: ssl.SSLContext, first: str
) -> None:
    """The first answer may be reached, but nothing answers there."""
    to = channel("gotify", url="https://push.test", token="AbCdEf.1234")
    private = (PrivateTarget.parse("127.0.0.2"),)
    async with receiver(tls=tls) as inside:
        sender = people(inside.port, private, (first, "then", "127.0.0.1"), seconds=2)
        for _ in range(2):
            await failure(sender.send(to, notification()))

        assert inside.connections == 0


async def test_mail_whose_name_leads_inside_the_next_time_is_not_sent(tls: ssl.SSLContext) -> None:
    fields = {"from": "a@example.com", "to": ["b@example.com"]}
    to = channel("email", host="mail.test", port=587, **fields)
    private = (PrivateTarget.parse("127.0.0.2"),)
    async with mail_server(tls) as server:
        sender = people(server.port, private, ("127.0.0.2", "then", "127.0.0.1"))
        error = await failure(sender.send(to, notification()))

        assert server.envelopes == []
    assert error.receipt.status is None


async def test_private_addresses_among_public_ones_are_skipped() -> None:
    resolve = Rebinding(["10.0.0.1", "192.168.1.1", "127.0.0.1", "::1"])
    async with receiver() as inside:
        got = await attempt(resolve, inside.port, LOOPBACK)

    assert got.status == 200


async def run_child(module: str, url: str) -> Report:
    """Have a child send by any module of apprise, as if the list of schemas allowed it."""
    whole = Order(id="msg_1", thread="", answered="", title="t", body="b", format="text",
                  tone="info", private=[], module=module, url=url)  # fmt: skip
    command = [sys.executable, "-I", "-m", "aweigh.notifications.senders.apprise_child"]
    return await Children(command).send("x", whole)


@pytest.mark.parametrize(
    ("module", "url"),
    [
        ("rsyslog", "rsyslog://127.0.0.1:{port}/daemon"),
        ("irc.base", "irc://127.0.0.1:{port}/%23channel?join=no"),
        ("custom_json", "json://127.0.0.1:{port}/"),
        ("syslog", "syslog://"),
    ],
)
async def test_child_itself_lets_no_module_reach_the_machine(module: str, url: str) -> None:
    async with receiver() as inside:
        report = await run_child(module, url.format(port=inside.port))

        assert inside.connections == 0
    assert not report.accepted


async def test_child_opens_no_file_that_an_address_names(tls: ssl.SSLContext) -> None:
    async with receiver(tls=tls) as chat:
        url = "discord://4174216298/JHMHI8qBe7bk2ZwO5U7/?template=/etc/hostname"
        report = await run_child("discord", url)

        assert chat.connections == 0
    assert not report.accepted


async def test_guard_refuses_programs_files_and_sockets_of_the_machine() -> None:
    script = """
import os, socket, subprocess, tempfile
from aweigh.notifications.senders.child_guard import Guard
Guard([]).install()
def tries(what):
    try:
        what()
    except PermissionError:
        return
    raise SystemExit(f"allowed: {what}")
tries(lambda: subprocess.run(["true"]))
tries(lambda: os.system("true"))
tries(lambda: os.fork())
tries(lambda: open("/etc/passwd"))
tries(lambda: os.open("/etc/hostname", os.O_RDONLY))
tries(lambda: open("/tmp/written", "w"))
tries(lambda: os.remove("/tmp/written"))
tries(lambda: socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock"))
tries(lambda: socket.socket().connect(("127.0.0.1", 22)))
tries(lambda: socket.socket().connect_ex(("localhost", 22)))
tries(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 514)))
tries(lambda: socket.socket().bind(("127.0.0.1", 0)))
print("refused")
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", script, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()

    assert said == b"refused\n"
