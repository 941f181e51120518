"""Channels: where notifications go, and of which events."""

import base64
import binascii
import secrets
from collections.abc import Collection, Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from aweigh.core.model import PortNumber, Text
from aweigh.deployments.deployment import EventKind
from aweigh.notifications import addresses
from aweigh.notifications.addresses import Endpoint
from aweigh.notifications.channel_settings import AtUrl, ChannelKind, ChannelSettings, line
from aweigh.notifications.chats import (
    AppriseChannel,
    Gotify,
    IncomingWebhook,
    Matrix,
    Ntfy,
    Pushover,
    Telegram,
)
from aweigh.secrets.value import Secret

_SIGNING_PREFIX: Final = "whsec_"
_SIGNING_BYTES: Final = 32
#: As Standard Webhooks limit them.
_FEWEST_BYTES, _MOST_BYTES = 24, 64

_MailAddress = Annotated[Text, AfterValidator(addresses.mail_address)]


def signing_secret(secret: SecretStr) -> SecretStr:
    """Return a secret with its prefix.

    Raises:
        ValueError: it is not one.
    """
    encoded = secret.get_secret_value().removeprefix(_SIGNING_PREFIX)
    try:
        length = len(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        raise ValueError(f"is not {_SIGNING_PREFIX!r} and base64") from None
    if not _FEWEST_BYTES <= length <= _MOST_BYTES:
        raise ValueError(
            f"holds {length} bytes; {_FEWEST_BYTES} to {_MOST_BYTES}, in base64, are required"
        )
    return SecretStr(_SIGNING_PREFIX + encoded)


class Webhook(AtUrl):
    """Signed requests, as in https://www.standardwebhooks.com."""

    kind: Literal[ChannelKind.WEBHOOK]
    #: `whsec_…`; generated if it is not given.
    secret: Annotated[Secret, AfterValidator(signing_secret)] | None = None


class Email(ChannelSettings):
    """Mail by SMTP."""

    kind: Literal[ChannelKind.EMAIL]
    host: Annotated[Text, AfterValidator(addresses.host)]
    port: PortNumber = 587
    security: Literal["starttls", "tls"] = "starttls"
    username: Annotated[str, Field(min_length=1, max_length=320), AfterValidator(line)] | None = (
        None
    )
    password: Annotated[Secret, Field(min_length=1, max_length=1000)] | None = Field(
        default=None, validate_default=True
    )
    sender: Annotated[_MailAddress, Field(alias="from")]
    to: Annotated[tuple[_MailAddress, ...], Field(min_length=1, max_length=20)]

    @field_validator("password")
    @classmethod
    def _password(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (password is None) != (info.data.get("username") is None):
            raise ValueError("`username` and `password` are given together, or neither of them")
        return password

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.host, self.port)

    @property
    def target(self) -> str:
        return ", ".join(self.to)

    @property
    def origin(self) -> str:
        return str(self.endpoint)


Channel = Annotated[
    Webhook | IncomingWebhook | Telegram | Email | Ntfy | Pushover | Gotify | Matrix
    | AppriseChannel,
    Field(discriminator="kind"),
]  # fmt: skip


def new_signing_secret() -> str:
    """Return a secret as Standard Webhooks write it."""
    return _SIGNING_PREFIX + base64.b64encode(secrets.token_bytes(_SIGNING_BYTES)).decode()


def wants(
    settings: ChannelSettings, kind: EventKind, names: Collection[str], labels: Mapping[str, str]
) -> bool:
    """Whether a channel is told of such an event of an application with these names and labels."""
    if settings.events is None:
        # A run of the policy deletes dozens at once, and nobody has to act on that.
        if kind is EventKind.DELETED and not isinstance(settings, Webhook):
            return False
    elif kind not in settings.events:
        return False
    if settings.applications and not set(settings.applications) & set(names):
        return False
    return settings.labels.items() <= labels.items()
