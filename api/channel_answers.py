"""Channels and deliveries as the API answers them: fields are only ever added."""

import json
from datetime import datetime

from pydantic import Field

from aweigh.deployment_answer import Answer
from aweigh.deployments.deployment import EventKind
from aweigh.notifications.channel_settings import ChannelKind
from aweigh.notifications.delivery_state import DeliveryState
from aweigh.store.channels import OpenedChannel
from aweigh.store.tables import ChannelRow, DeliveryRow


class LastDelivery(Answer):
    """What came of the last attempt."""

    at: datetime | None
    state: DeliveryState
    status: int | None
    message: str | None


class UnreadableChannel(Answer):
    """What can be told of a channel whose settings cannot be read."""

    id: str
    name: str
    kind: ChannelKind
    enabled: bool
    disabled_reason: str | None
    last_delivery: LastDelivery | None
    last_success_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ChannelAnswer(UnreadableChannel):
    target: str = Field(description="Where notifications go, without anything secret.")
    events: tuple[EventKind, ...] | None = Field(
        description="null: all, but of deletions only webhooks are told."
    )
    applications: tuple[str, ...]
    labels: dict[str, str]


class ChannelCreated(ChannelAnswer):
    secret: str | None = Field(description="Of a webhook: verifies its signatures.")


class ChannelPage(Answer):
    items: list[ChannelAnswer]
    next: str | None
    unreadable: list[UnreadableChannel]


class ChannelSecret(Answer):
    secret: str


class DeliveryAnswer(Answer):
    id: str
    channel: str
    kind: str = Field(description="That of the event, `channel.test` or `channel.disabled`.")
    event: str | None
    deployment: str | None
    message_id: str = Field(description="The same in all attempts; `webhook-id` of webhooks.")
    state: DeliveryState
    attempts: int
    status: int | None = Field(description="The answer's HTTP status, or the code of SMTP.")
    message: str | None
    response: str | None = Field(description="The first kilobyte of the answer.")
    duration_ms: int | None
    created_at: datetime
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    ended_at: datetime | None


class DeliveryPage(Answer):
    items: list[DeliveryAnswer]
    next: str | None


def row_answer(row: ChannelRow) -> UnreadableChannel:
    last = LastDelivery.model_validate(json.loads(row.last_delivery)) if row.last_delivery else None
    return UnreadableChannel(
        id=row.id, name=row.name, kind=ChannelKind(row.kind), enabled=row.enabled,
        disabled_reason=row.disabled_reason, last_delivery=last,
        last_success_at=row.last_success_at, created_at=row.created_at, updated_at=row.updated_at,
    )  # fmt: skip


def channel_answer(channel: OpenedChannel) -> ChannelAnswer:
    settings = channel.settings
    return ChannelAnswer(
        **dict(row_answer(channel.row)), target=settings.target, events=settings.events,
        applications=settings.applications, labels=settings.labels,
    )  # fmt: skip


def delivery_answer(row: DeliveryRow) -> DeliveryAnswer:
    return DeliveryAnswer(
        id=row.id, channel=row.channel_id, kind=row.kind,
        event=str(row.event_id) if row.event_id is not None else None,
        deployment=row.deployment_id, message_id=row.message_id, state=DeliveryState(row.state),
        attempts=row.attempts, status=row.status, message=row.message, response=row.response,
        duration_ms=row.duration_ms, created_at=row.created_at,
        last_attempt_at=row.last_attempt_at, next_attempt_at=row.next_attempt_at,
        ended_at=row.ended_at,
    )  # fmt: skip
