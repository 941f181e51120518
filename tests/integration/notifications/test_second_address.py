"""A host of several addresses is reached by another one if the first drops what it is sent."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aweigh.core.private_target import PrivateTarget
from aweigh.notifications.senders.guarded_network import GuardedNetwork
from aweigh.notifications.senders.webhook import WebhookSender
from tests.support.notifying import SECRET, channel, notification, people
from tests.support.receivers import mail_server, receiver

SILENT: Final = "127.0.0.2"
ADDRESSES: Final = (SILENT, "127.0.0.1")
OPEN: Final = tuple(PrivateTarget.parse(one) for one in ADDRESSES)


@contextmanager
def dropping(port: int) -> Iterator[None]:
    """Have the silent address drop connections to the port: its queue is full."""
    with contextlib.ExitStack() as opened:
        server = opened.enter_context(socket.socket())
        server.bind((SILENT, port))
        server.listen(0)
        opened.enter_context(socket.create_connection((SILENT, port)))
        yield


async def resolve(host: str, port: int) -> tuple[str, ...]:
    return ADDRESSES


async def test_webhook_reaches_the_second_address() -> None:
    network = GuardedNetwork(OPEN, resolve, first_seconds=0.2)
    sender = WebhookSender(network, ssl.create_default_context())
    async with receiver() as hook:
        with dropping(hook.port):
            url = f"http://hooks.test:{hook.port}/"
            got = await sender.send(url, (SECRET,), notification(), [], seconds=10)
    await sender.close()

    assert got.status == 200


async def test_chat_reaches_the_second_address(tls: ssl.SSLContext) -> None:
    to = channel("gotify", url="https://push.test", token="AbCdEf.1234")
    async with receiver(tls=tls) as chat:
        with dropping(chat.port):
            got = await people(chat.port, OPEN, ADDRESSES).send(to, notification())

    assert got.status == 200


async def test_mail_reaches_the_second_address(tls: ssl.SSLContext) -> None:
    fields = {"from": "a@example.com", "to": ["b@example.com"]}
    to = channel("email", host="mail.test", port=587, **fields)
    async with mail_server(tls) as server:
        with dropping(server.port):
            got = await people(server.port, OPEN, ADDRESSES).send(to, notification())

        assert len(server.envelopes) == 1
    assert got.status == 250
