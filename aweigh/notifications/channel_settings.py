"""What channels of all kinds have in common."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator

from aweigh.core import grammar
from aweigh.core.model import Text, Value
from aweigh.deployments.deployment import EventKind
from aweigh.notifications import addresses
from aweigh.notifications.addresses import Endpoint
from aweigh.secrets.value import Secret


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


def line(text: str) -> str:
    """Accept one line: it becomes part of headers and messages."""
    if not text.isprintable():
        raise ValueError("holds characters that cannot be printed")
    return grammar.text(text)


class ChannelSettings(Value):
    """What all kinds have in common."""

    name: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(line)]
    #: None means every kind of event, but deletions only for webhooks.
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
    def target_fields(self) -> dict[str, Any]:
        """Everything that decides where the notifications go, and whether they are accepted."""
        apart = {*ChannelSettings.model_fields, "secret"}
        return {name: getattr(self, name) for name in type(self).model_fields.keys() - apart}

    @property
    def origin(self) -> str:
        """Whom the credentials are for: they do not follow to another one."""
        return ""


class AtUrl(ChannelSettings):
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
