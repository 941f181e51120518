"""Channels: where notifications go, and of which events."""

import base64
import binascii
import re
import secrets
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from aweigh.core import grammar
from aweigh.core.model import PortNumber, Text, Value, Written
from aweigh.deployments.deployment import EventKind
from aweigh.notifications import addresses
from aweigh.notifications.addresses import Endpoint
from aweigh.notifications.senders.apprise_schemas import refuse_schema
from aweigh.secrets.value import Secret

_SIGNING_PREFIX: Final = "whsec_"
_SIGNING_BYTES: Final = 32
#: As Standard Webhooks limit them.
_FEWEST_BYTES, _MOST_BYTES = 24, 64

_BOT: Final = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{20,100}")
_CHAT: Final = re.compile(r"-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,63}")
_KEY: Final = re.compile(r"[A-Za-z0-9]{30}")
_ROOM: Final = re.compile(r"[!#][\x21-\x39\x3b-\x7e]{1,200}(:[A-Za-z0-9.:\[\]-]{1,200})?")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,500}")


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


def _line(text: str) -> str:
    """Accept one line: it becomes part of headers and messages."""
    if not text.isprintable():
        raise ValueError("holds characters that cannot be printed")
    return grammar.text(text)


def _matching(pattern: re.Pattern[str], refusal: str) -> AfterValidator:
    """Return a check of a secret; the refusal does not repeat it."""

    def check(secret: SecretStr) -> SecretStr:
        if not pattern.fullmatch(secret.get_secret_value()):
            raise ValueError(refusal)
        return secret

    return AfterValidator(check)


_AccessToken = Annotated[Secret, _matching(_TOKEN, "is not a token: printable, without spaces")]
_Key = Annotated[Secret, _matching(_KEY, "is not a key of Pushover: 30 letters and digits")]
_ServerUrl = Annotated[Secret, AfterValidator(addresses.address_without_query)]
_MailAddress = Annotated[Text, AfterValidator(addresses.mail_address)]


class ChannelSettings(Value):
    """What all kinds have in common."""

    name: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_line)]
    #: None means every kind of event.
    events: tuple[EventKind, ...] | None = None
    #: Ids or slugs; without any, every application that the labels select.
    applications: Annotated[tuple[Text, ...], Field(max_length=500)] = ()
    #: An application is selected if it has all of these labels.
    labels: dict[str, Text] = Field(default_factory=dict)
    enabled: bool = True

    @field_validator("applications")
    @classmethod
    def _applications(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not (
                grammar.matches(grammar.KNOWN_SLUG, name)
                or grammar.matches(grammar.ENTITY_ID, name)
            ):
                raise ValueError(f"{name[:100]!r} is neither the id nor the slug of an application")
        return names

    @field_validator("labels")
    @classmethod
    def _labels(cls, labels: dict[str, str]) -> dict[str, str]:
        for key in labels:
            if not grammar.matches(grammar.LABEL_KEY, key):
                raise ValueError(f"{key[:100]!r} is not a label key")
        return labels

    @property
    def endpoint(self) -> Endpoint | None:
        """What Aweigh connects to, as far as the settings say it."""
        return None

    @property
    def target(self) -> str:
        """Where the notifications go, without anything secret."""
        raise NotImplementedError

    @property
    def origin(self) -> str:
        """Whom the credentials are for: they do not follow to another one."""
        return ""


class _AtUrl(ChannelSettings):
    """A channel whose target is a web address."""

    url: Annotated[Secret, AfterValidator(addresses.web_address)]

    @property
    def endpoint(self) -> Endpoint:
        return addresses.endpoint_of(self.url)

    @property
    def target(self) -> str:
        return addresses.shown(self.url)

    @property
    def origin(self) -> str:
        return addresses.origin_of(self.url)


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


class Webhook(_AtUrl):
    """Signed requests, as in https://www.standardwebhooks.com."""

    kind: Literal[ChannelKind.WEBHOOK]
    #: `whsec_…`; generated if it is not given.
    secret: Annotated[Secret, AfterValidator(signing_secret)] | None = None


class IncomingWebhook(_AtUrl):
    """A chat's own address for incoming messages."""

    kind: Literal[ChannelKind.SLACK, ChannelKind.DISCORD, ChannelKind.TEAMS, ChannelKind.MATTERMOST]
    url: Annotated[Secret, AfterValidator(addresses.address_with_path)]


class Telegram(ChannelSettings):
    kind: Literal[ChannelKind.TELEGRAM]
    token: Annotated[Secret, _matching(_BOT, "is not the token of a bot, such as 123456:ABC…")]
    chat: Annotated[str, Written(_CHAT, "is neither the number of a chat nor an @name")]

    @property
    def target(self) -> str:
        return self.chat


class Email(ChannelSettings):
    """Mail by SMTP."""

    kind: Literal[ChannelKind.EMAIL]
    host: Annotated[Text, AfterValidator(addresses.host)]
    port: PortNumber = 587
    security: Literal["starttls", "tls"] = "starttls"
    username: Annotated[str, Field(min_length=1, max_length=320), AfterValidator(_line)] | None = (
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


class Ntfy(_AtUrl):
    """A topic's address, such as `https://ntfy.sh/deployments`."""

    kind: Literal[ChannelKind.NTFY]
    url: Annotated[Secret, AfterValidator(addresses.topic_address)]
    token: _AccessToken | None = None


class Pushover(ChannelSettings):
    kind: Literal[ChannelKind.PUSHOVER]
    user: _Key
    token: _Key

    @property
    def target(self) -> str:
        return "pushover.net"


class Gotify(_AtUrl):
    """A server's address, and the token of one of its applications."""

    kind: Literal[ChannelKind.GOTIFY]
    url: _ServerUrl
    token: _AccessToken


class Matrix(_AtUrl):
    """A home server's address, an access token, and a room such as `!id:example.com`."""

    kind: Literal[ChannelKind.MATRIX]
    url: _ServerUrl
    token: _AccessToken
    room: Annotated[str, Written(_ROOM, "is not a room, such as !id:example.com")]

    @property
    def target(self) -> str:
        return f"{self.room} at {super().target}"


def _allowed(secret: SecretStr) -> SecretStr:
    refuse_schema(secret.get_secret_value())
    return secret


class AppriseChannel(ChannelSettings):
    """Any other receiver that apprise knows and that is allowed."""

    kind: Literal[ChannelKind.APPRISE]
    url: Annotated[Secret, AfterValidator(_allowed)]

    @property
    def endpoint(self) -> Endpoint | None:
        return addresses.written_endpoint(self.url)

    @property
    def target(self) -> str:
        """The kind of receiver only: all else may be a token."""
        return f"{self.url.get_secret_value().partition(':')[0]}://…"


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
