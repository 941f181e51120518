"""Dispatch: which channels are told of an event, and when a delivery is handed over."""

import json
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from aweigh.core.ids import new_id
from aweigh.deployments.deployment import OPEN
from aweigh.notifications.channel import wants
from aweigh.notifications.delivery_state import UNENDED, DeliveryState
from aweigh.store import channels, events, outbox
from aweigh.store.channels import OpenedChannel
from aweigh.store.database import Transaction
from aweigh.store.deliveries import WAITS_FOR
from aweigh.store.events import Event, Filter
from aweigh.store.tables import (
    ApplicationRow,
    ChannelRow,
    DeliveryRow,
    DeploymentRow,
    EventRow,
    MetaRow,
)

#: The id of the newest event whose deliveries exist. A restored database has its own.
_POSITION: Final = select(MetaRow).where(MetaRow.key == "dispatched_events")
#: Shared locks: no channel is disabled while deliveries are made for it.
_ENABLED: Final = (
    select(ChannelRow)
    .where(ChannelRow.enabled)
    .order_by(ChannelRow.id)
    .with_for_update(read=True)
    .execution_options(populate_existing=True)
)
#: Events in one transaction: callers wait for its end.
_AT_ONCE: Final = 25
#: Older events are not delivered: whoever was away for so long reads the list of events.
_OLDEST: Final = timedelta(days=1)
#: Deliveries of one channel that are being sent: one that hangs occupies few places.
WINDOW: Final = 8
#: A delivery keeps processors busy for so long after its hand-over, or the begin of an attempt;
#: then it waits for its receiver.
_BUSY_FOR: Final = timedelta(seconds=1)
#: A deployment that takes longer waits for something, too.
_DEPLOYING_FOR: Final = timedelta(minutes=10)
#: The same, with those that are to be repeated: neither a channel that is down nor one that limits
#: what it takes collects thousands of repetitions.
WINDOW_OF_REPETITIONS: Final = 100
#: The same while the channel accepts nothing that it is sent.
WINDOW_WHILE_FAILING: Final = 4
#: No attempt takes longer; one that seems to was lost with its workflow.
_LONGEST_ATTEMPT: Final = timedelta(minutes=8)
_ALL: Final = Filter()


async def has_channels(tx: Transaction) -> bool:
    return (
        await tx.session.scalar(select(ChannelRow.id).where(ChannelRow.enabled).limit(1))
        is not None
    )


async def has_events(tx: Transaction) -> bool:
    """Whether there may be events that were not dispatched yet."""
    row = await tx.session.scalar(_POSITION)
    newest = await tx.session.scalar(select(func.max(EventRow.id)))
    return bool(newest and newest > int(row.value if row else 0))


async def dispatch(tx: Transaction) -> bool:
    """Make a delivery of each new event for each channel that wants it; whether more may follow."""
    position = await tx.locked(_POSITION)
    # Before the channels are read: a channel that is created meanwhile wants later events.
    newest = await events.newest(tx)
    wanting = channels.readable(tx, await tx.session.scalars(_ENABLED))
    if position is None:
        return False
    enabled_since = min((one.row.since_event for one in wanting), default=newest)
    since = max(int(position.value), min(enabled_since, newest))
    found = [one for one in await events.after(tx, _ALL, since, _AT_ONCE) if one.id <= newest]
    recent = [one for one in found if one.at > tx.now - _OLDEST]
    await tx.insert(*_made(tx, recent, wanting))
    position.value = str(found[-1].id if found else since)
    return len(found) == _AT_ONCE


def _made(
    tx: Transaction, found: Iterable[Event], wanting: Sequence[OpenedChannel]
) -> Iterator[DeliveryRow]:
    for event in found:
        if event.settings and not event.settings.notify:
            continue
        for channel in wanting:
            if event.id > channel.row.since_event and _wants(channel, event):
                yield DeliveryRow(
                    id=new_id("dlv"), channel_id=channel.row.id, event_id=event.id,
                    deployment_id=event.deployment.id, kind=event.kind, message_id=new_id("msg"),
                    state=DeliveryState.WAITING, attempts=0, created_at=tx.now,
                )  # fmt: skip


def _wants(channel: OpenedChannel, event: Event) -> bool:
    application = event.deployment.application
    labels = event.settings.labels if event.settings else {}
    names = (application.id, application.slug)
    return wants(channel.settings, event.kind, names, labels)


async def releasable(tx: Transaction, *, busy: int, while_deploying: int) -> list[str]:
    """Return the ids of the deliveries that may be handed over now, the oldest first.

    Those of channels that accept nothing come last.

    `busy`: deliveries, other than those of such channels, that may keep processors busy at a time.
    `while_deploying`: hand-overs within a second while a deployment runs.
    """
    waiting = exists().where(
        DeliveryRow.channel_id == ChannelRow.id, DeliveryRow.state == DeliveryState.WAITING
    )
    wants_more = or_(ChannelRow.paused_until.is_(None), ChannelRow.paused_until <= tx.now)
    rows = await tx.session.scalars(
        select(ChannelRow).where(ChannelRow.enabled, waiting, wants_more)
    )
    found = list(rows)
    room = min(busy - await _busy(tx), await _room_while_deploying(tx, while_deploying))
    if not found or room <= 0:
        return []
    ready = [
        (row.failing_since is not None, *one) for row in found for one in await _releasable(tx, row)
    ]
    return [delivery for *_, delivery in sorted(ready)[:room]]


async def _room_while_deploying(tx: Transaction, most: int) -> int:
    if not await _is_deploying(tx):
        return sys.maxsize
    query = select(func.count()).where(DeliveryRow.released_at > tx.now - _BUSY_FOR)
    return most - (await tx.session.scalar(query) or 0)


async def _is_deploying(tx: Transaction) -> bool:
    runs = select(DeploymentRow.id).where(
        DeploymentRow.state.in_(OPEN),
        func.coalesce(DeploymentRow.started_at, DeploymentRow.created_at) > tx.now - _DEPLOYING_FOR,
    )
    return await tx.session.scalar(runs.limit(1)) is not None


async def _busy(tx: Transaction) -> int:
    """Return how many deliveries of channels that accept some were begun just now."""
    began = func.coalesce(DeliveryRow.last_attempt_at, DeliveryRow.released_at)
    accepting = select(ChannelRow.id).where(ChannelRow.failing_since.is_(None))
    query = select(func.count()).where(
        DeliveryRow.channel_id.in_(accepting),
        DeliveryRow.state == DeliveryState.SENDING,
        began > tx.now - _BUSY_FOR,
    )
    return await tx.session.scalar(query) or 0


async def _releasable(tx: Transaction, channel: ChannelRow) -> list[tuple[int, str]]:
    """Return the events and ids of the deliveries that the channel has room for."""
    room = await _room(tx, channel)
    if room <= 0:
        return []
    query = select(DeliveryRow.event_id, DeliveryRow.id).where(
        DeliveryRow.channel_id == channel.id, DeliveryRow.state == DeliveryState.WAITING,
        DeliveryRow.created_at > tx.now - WAITS_FOR, ~_earlier_unended(),
    )  # fmt: skip
    rows = await tx.session.execute(query.order_by(DeliveryRow.event_id).limit(room))
    return [(event or 0, delivery) for event, delivery in rows]


async def _room(tx: Transaction, channel: ChannelRow) -> int:
    mine = select(func.count()).where(DeliveryRow.channel_id == channel.id)
    began = func.coalesce(DeliveryRow.last_attempt_at, DeliveryRow.released_at)
    query = mine.where(
        DeliveryRow.state == DeliveryState.SENDING, began >= tx.now - _LONGEST_ATTEMPT
    )
    sending = await tx.session.scalar(query) or 0
    query = mine.where(DeliveryRow.state == DeliveryState.RETRYING)
    retrying = await tx.session.scalar(query) or 0
    most = WINDOW_WHILE_FAILING if channel.failing_since else WINDOW_OF_REPETITIONS
    return min(WINDOW - sending, most - sending - retrying)


def _earlier_unended() -> ColumnElement[bool]:
    """Whether the channel has yet to be told of an earlier event of the same deployment."""
    earlier = aliased(DeliveryRow)
    return exists().where(
        earlier.deployment_id == DeliveryRow.deployment_id,
        earlier.channel_id == DeliveryRow.channel_id,
        earlier.state.in_(UNENDED),
        or_(
            earlier.event_id < DeliveryRow.event_id,
            and_(earlier.event_id == DeliveryRow.event_id, earlier.id < DeliveryRow.id),
        ),
    )


async def release(tx: Transaction, *, busy: int, while_deploying: int) -> int:
    """Request the hand-over of what is `releasable`; return how many deliveries that are."""
    await tx.locked(_POSITION)  # one process at a time counts what is being sent
    found = await releasable(tx, busy=busy, while_deploying=while_deploying)
    if found:
        await tx.session.execute(
            update(DeliveryRow)
            .where(DeliveryRow.id.in_(found), DeliveryRow.state == DeliveryState.WAITING)
            .values(state=DeliveryState.SENDING, released_at=tx.now)
        )
        await tx.insert(*(outbox.new(tx, outbox.NOTIFY, one) for one in found))
    return len(found)


@dataclass(frozen=True, kw_only=True)
class HandOver:
    """A delivery as the relay hands it over: its id, and what people call it."""

    delivery_id: str
    kind: str
    #: The channel's name.
    channel: str
    #: Of the deployment; empty for a notice.
    slug: str = ""
    sequence: int = 0


async def hand_overs(tx: Transaction, ids: Collection[str]) -> Mapping[str, HandOver]:
    """Return those of the deliveries that are to be handed over, by their ids."""
    query = (
        select(
            DeliveryRow.id, DeliveryRow.kind, ChannelRow.name, ApplicationRow.slug,
            EventRow.deployment,
        )
        .join(ChannelRow, ChannelRow.id == DeliveryRow.channel_id)
        .outerjoin(EventRow, EventRow.id == DeliveryRow.event_id)
        .outerjoin(ApplicationRow, ApplicationRow.id == EventRow.application_id)
        .where(DeliveryRow.id.in_(ids), DeliveryRow.state.in_(UNENDED))
    )  # fmt: skip
    return {
        row.id: HandOver(
            delivery_id=row.id, kind=row.kind, channel=row.name, slug=row.slug or "",
            sequence=json.loads(row.deployment)["sequence"] if row.deployment else 0,
        )
        for row in await tx.session.execute(query)
    }  # fmt: skip
