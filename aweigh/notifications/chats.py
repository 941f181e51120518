"""Channels of people's chats and push services, all of which apprise sends to."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, SecretStr

from aweigh.core.model import Written
from aweigh.notifications import addresses
from aweigh.notifications.addresses import Endpoint
from aweigh.notifications.channel_settings import AtUrl, ChannelKind, ChannelSettings
from aweigh.notifications.senders.apprise_schemas import refuse_schema
from aweigh.secrets.value import Secret

_BOT: Final = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{20,100}")
_CHAT: Final = re.compile(r"-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,63}")
_KEY: Final = re.compile(r"[A-Za-z0-9]{30}")
#: As apprise knows them: without the port that a home server's name may have.
_ROOM: Final = re.compile(r"[!#][A-Za-z0-9._=-]{1,200}(:[A-Za-z0-9.-]{1,200})?")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,500}")
#: Apprise takes it for a part of the path.
_GOTIFY_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]{1,500}")


def _matching(pattern: re.Pattern[str], refusal: str) -> AfterValidator:
    """Return a check of a secret; the refusal does not repeat it."""

    def check(secret: SecretStr) -> SecretStr:
        if not pattern.fullmatch(secret.get_secret_value()):
            raise ValueError(refusal)
        return secret

    return AfterValidator(check)


_AccessToken = Annotated[Secret, _matching(_TOKEN, "is not a token: printable, without spaces")]
_Key = Annotated[Secret, _matching(_KEY, "is not a key of Pushover: 30 letters and digits")]


class IncomingWebhook(AtUrl):
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


class Ntfy(AtUrl):
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


class Gotify(AtUrl):
    """A server's address, and the token of one of its applications."""

    kind: Literal[ChannelKind.GOTIFY]
    url: Annotated[Secret, AfterValidator(addresses.address_without_query)]
    token: Annotated[Secret, _matching(_GOTIFY_TOKEN, "is not the token of an application")]


class Matrix(AtUrl):
    """A home server's address, an access token, and a room or its alias."""

    kind: Literal[ChannelKind.MATRIX]
    url: Annotated[Secret, AfterValidator(addresses.address_without_path)]
    token: _AccessToken
    room: Annotated[
        str, Written(_ROOM, "is not a room, such as !id:example.com or #ops:example.com, no port")
    ]

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
