"""Channels: where notifications go, and of which events."""

import base64
import secrets
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from aweigh.core.model import PortNumber, Text, Value
from aweigh.deployments.deployment import EventKind
from aweigh.secrets.value import Secret

_SIGNING_PREFIX: Final = "whsec_"
_SIGNING_BYTES: Final = 32


class ChannelKind(StrEnum):
    """What receives the notifications of a channel."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    DISCORD = "discord"
    TEAMS = "teams"
    TELEGRAM = "telegram"
    EMAIL = "email"
    NTFY = "ntfy"
    PUSHOVER = "pushover"
    GOTIFY = "gotify"
    MATTERMOST = "mattermost"
    MATRIX = "matrix"
    APPRISE = "apprise"


class ChannelSettings(Value):
    """What all kinds have in common."""

    name: Annotated[Text, Field(min_length=1, max_length=80)]
    #: None means every kind of event.
    events: tuple[EventKind, ...] | None = None
    #: Ids or slugs; without any, every application that the labels select.
    applications: tuple[Text, ...] = ()
    #: An application is selected if it has all of these labels.
    labels: dict[str, Text] = Field(default_factory=dict)
    enabled: bool = True


class Webhook(ChannelSettings):
    """Signed requests, as in https://www.standardwebhooks.com."""

    kind: Literal[ChannelKind.WEBHOOK]
    url: Secret
    #: `whsec_…`; generated if it is not given.
    secret: Secret | None = None


class IncomingWebhook(ChannelSettings):
    """A chat's own address for incoming messages."""

    kind: Literal[ChannelKind.SLACK, ChannelKind.DISCORD, ChannelKind.TEAMS, ChannelKind.MATTERMOST]
    url: Secret


class Telegram(ChannelSettings):
    kind: Literal[ChannelKind.TELEGRAM]
    token: Secret
    chat: Text


class Email(ChannelSettings):
    """Mail by SMTP."""

    kind: Literal[ChannelKind.EMAIL]
    host: Text
    port: PortNumber = 587
    security: Literal["starttls", "tls"] = "starttls"
    username: Text | None = None
    password: Secret | None = None
    sender: Annotated[Text, Field(alias="from")]
    to: Annotated[tuple[Text, ...], Field(min_length=1, max_length=20)]


class Ntfy(ChannelSettings):
    """A topic's address, such as `https://ntfy.sh/deployments`."""

    kind: Literal[ChannelKind.NTFY]
    url: Secret
    token: Secret | None = None


class Pushover(ChannelSettings):
    kind: Literal[ChannelKind.PUSHOVER]
    user: Secret
    token: Secret


class Gotify(ChannelSettings):
    """A server's address, and the token of one of its applications."""

    kind: Literal[ChannelKind.GOTIFY]
    url: Secret
    token: Secret


class Matrix(ChannelSettings):
    """A home server's address, an access token, and a room such as `!id:example.com`."""

    kind: Literal[ChannelKind.MATRIX]
    url: Secret
    token: Secret
    room: Text


class AppriseChannel(ChannelSettings):
    """Any other receiver that apprise knows and that is allowed."""

    kind: Literal[ChannelKind.APPRISE]
    url: Secret


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
    if settings.events is not None and kind not in settings.events:
        return False
    if settings.applications and not set(settings.applications) & set(names):
        return False
    return settings.labels.items() <= labels.items()
