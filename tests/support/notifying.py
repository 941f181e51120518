"""Channels and notifications to send, and the places that apprise knows by heart."""

import ssl
import sys
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr, TypeAdapter

from aweigh.core.private_target import PrivateTarget
from aweigh.notifications.channel import Channel
from aweigh.notifications.delivery import DeliveryFailed, Notification, Receipt
from aweigh.notifications.senders.child import Children
from aweigh.notifications.senders.people import PeopleSender
from tests.support.tls import Certificates

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#: The hosts that apprise knows by heart, and some that tests make up.
HOSTS: Final = (
    "hooks.slack.com", "discord.com", "api.telegram.org", "api.pushover.net", "ntfy.sh",
    "prod-1.logic.azure.com", "push.test", "chat.test", "matrix.test", "org.zulipchat.com",
    "mail.test",
)  # fmt: skip
LOOPBACK: Final = (PrivateTarget.parse("127.0.0.1"),)
_CHANNEL: Final[TypeAdapter[Channel]] = TypeAdapter(Channel)
_CHILD: Final = Path(__file__).with_name("loopback_child.py")


def channel(kind: str, **fields: Any) -> Channel:
    return _CHANNEL.validate_python({"name": "ops", "kind": kind, **fields})


def unchecked(valid: Channel, **fields: Any) -> Channel:
    """Return a channel with fields that the API would refuse: senders rely on no earlier check."""
    secret = {name for name in type(valid).model_fields
              if isinstance(getattr(valid, name), SecretStr)}  # fmt: skip
    return valid.model_copy(
        update={key: SecretStr(new) if key in secret else new for key, new in fields.items()}
    )


def webhook(url: str) -> Channel:
    valid = channel("webhook", url="https://hooks.example.com/", secret=SECRET)
    return unchecked(valid, url=url)


def notification(**fields: Any) -> Notification:
    values: dict[str, Any] = {
        "id": "msg_1", "at": datetime.now(UTC), "payload": '{"type": "deployment.failed"}',
        "title": "Shop 1.2 was not deployed: unhealthy", "text": "The health check failed.",
        "log": ("first", "last"), "tone": "failure", "thread": "dep_1",
        "links": (("Log", "https://aweigh.example/v1/deployments/dep_1/log"),),
    }  # fmt: skip
    return Notification(**values | fields)


def people(
    port: int,
    private: tuple[PrivateTarget, ...] = LOOPBACK,
    addresses: Sequence[str] = (),
    *,
    seconds: float = 15,
    scanning: float = 60,
) -> PeopleSender:
    """A sender for which every host is this port of loopback, or of these addresses."""
    limits = [str(seconds), str(scanning)]
    command = [sys.executable, "-I", str(_CHILD), str(port), *limits, *addresses]
    return PeopleSender(private, Children(command, seconds=seconds + 10))


def server_tls(made: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    return context


async def failure(sending: Awaitable[Receipt]) -> DeliveryFailed:
    """What a sending that has to fail says."""
    with pytest.raises(DeliveryFailed) as caught:
        await sending
    return caught.value
