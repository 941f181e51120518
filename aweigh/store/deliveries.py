"""Deliveries: what becomes of each notification, attempt by attempt."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, select, update

from aweigh.core import grammar
from aweigh.core.errors import Conflict, NotFound
from aweigh.core.ids import new_id
from aweigh.notifications.channel import Channel
from aweigh.notifications.delivery import Receipt
from aweigh.notifications.delivery_state import DeliveryState, NoticeKind
from aweigh.store import channels, events, notices, outbox
from aweigh.store.database import Transaction
from aweigh.store.events import Event
from aweigh.store.tables import ChannelRow, DeliveryRow, OutboxRow

#: Attempts are repeated for this long after the hand-over.
REPEATED_FOR: Final = timedelta(days=1)
#: No attempt begins later than this after the hand-over, such as in a restored database.
GIVEN_UP_AFTER: Final = timedelta(hours=25)
#: A delivery waits no longer than this for its hand-over: nothing old is told in a storm, such as
#: by a restored database.
WAITS_FOR: Final = timedelta(days=1)
_TOO_LATE: Final = "It could not be handed over within a day."
_WAITED: Final = "It waited for a day: the channel accepted too few messages."
_LOST: Final = (
    "Its workflow has ended without a record: it was terminated in Temporal, or the database was "
    "restored. Deliver it again."
)
#: Longer than an attempt takes and than a busy worker lets it wait.
_OVERDUE_AFTER: Final = timedelta(minutes=10)
_AT_ONCE: Final = 200
_GONE: Final = "The event is no longer kept."


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What an attempt needs: the channel with its secrets, and what it is told."""

    delivery_id: str
    #: Counts from 1.
    number: int
    began: datetime
    message_id: str
    #: Of the event, or a `NoticeKind`.
    kind: str
    created_at: datetime
    channel: Channel
    channel_id: str
    #: The newest first; two during a rotation.
    signing_secrets: tuple[str, ...]
    #: None for a notice, which has its content instead.
    event: Event | None
    content: Mapping[str, Any] | None
    #: To the first message about the same deployment; "" if there is none.
    answered: str
    #: No attempt is made after it.
    deadline: datetime


async def begin(tx: Transaction, delivery_id: str) -> Attempt | None:
    """Record that an attempt begins; None if there is nothing more to deliver.

    Raises:
        Unreadable: the channel or the event.
    """
    await outbox.close(tx, outbox.NOTIFY, delivery_id)
    found = await _locked(tx, delivery_id)
    if found is None:
        return None
    row, channel = found
    if not channel.enabled and row.kind != NoticeKind.TEST:
        _end(tx, row, DeliveryState.DROPPED, channels.CHANNEL_DISABLED)
        return None
    released = row.released_at or row.created_at
    if released < tx.now - GIVEN_UP_AFTER:
        _end(tx, row, DeliveryState.FAILED, row.message or _TOO_LATE)
        return None
    event = None
    if row.event_id is not None:
        event = (await events.some(tx, [row.event_id])).get(row.event_id)
        if event is None:
            _end(tx, row, DeliveryState.DROPPED, _GONE)
            return None
    row.state = DeliveryState.SENDING
    row.attempts += 1
    row.last_attempt_at, row.next_attempt_at = tx.now, None
    return Attempt(
        delivery_id=row.id, number=row.attempts, began=tx.now, message_id=row.message_id,
        kind=row.kind, created_at=row.created_at, channel=channels.opened(tx, channel).settings,
        channel_id=channel.id, signing_secrets=channels.signing_secrets(tx, channel), event=event,
        content=json.loads(row.content) if row.content else None,
        answered=await _answered(tx, row, channel), deadline=released + REPEATED_FOR,
    )  # fmt: skip


async def _answered(tx: Transaction, row: DeliveryRow, channel: ChannelRow) -> str:
    """Return what the receiver answered to the first message about the same deployment."""
    if row.deployment_id is None:
        return ""
    query = select(DeliveryRow.response).where(
        DeliveryRow.deployment_id == row.deployment_id,
        DeliveryRow.channel_id == row.channel_id,
        DeliveryRow.state == DeliveryState.DELIVERED,
    )
    if channel.retargeted_at:
        query = query.where(DeliveryRow.last_attempt_at > channel.retargeted_at)
    return await tx.session.scalar(query.order_by(DeliveryRow.id).limit(1)) or ""


async def delivered(tx: Transaction, delivery_id: str, receipt: Receipt) -> None:
    """Record that the channel has accepted it; an ended delivery stays as it is."""
    found = await _locked(tx, delivery_id)
    if found is None:
        return
    row, channel = found
    _note(row, receipt)
    _end(tx, row, DeliveryState.DELIVERED, receipt.remark or None)
    if channels.is_of_target(channel, row.last_attempt_at):
        channels.note_success(channel, tx.now)
    channels.note_delivery(channel, row)


async def failed(
    tx: Transaction,
    delivery_id: str,
    receipt: Receipt,
    message: str,
    *,
    retry_at: datetime | None,
    paused_until: datetime | None = None,
) -> bool:
    """Record an attempt that was not accepted; without `retry_at`, it was the last one.

    It also was if the channel was disabled meanwhile. Until `paused_until`, the channel wants
    nothing else either, unless its target was changed meanwhile.

    Return whether the channel is to be disabled: it has accepted nothing for long.
    """
    found = await _locked(tx, delivery_id)
    if found is None:
        return False
    row, channel = found
    _note(row, receipt)
    if retry_at is None or not channel.enabled:
        _end(tx, row, DeliveryState.FAILED, message)
    else:
        row.state, row.message, row.next_attempt_at = DeliveryState.RETRYING, message, retry_at
    channels.note_delivery(channel, row)
    if not channel.enabled or not channels.is_of_target(channel, row.last_attempt_at):
        return False
    if paused_until:
        channel.paused_until = max(paused_until, channel.paused_until or paused_until)
    if row.kind == NoticeKind.TEST:
        return False
    return channels.note_failure(channel, tx.now, gave_up=retry_at is None)


async def _locked(tx: Transaction, delivery_id: str) -> tuple[DeliveryRow, ChannelRow] | None:
    """Return an unended delivery and its channel, which is locked first, as everywhere."""
    query = select(DeliveryRow.channel_id).where(DeliveryRow.id == delivery_id)
    channel_id = await tx.session.scalar(query)
    channel = await tx.locked(select(ChannelRow).where(ChannelRow.id == channel_id))
    row = await tx.locked(select(DeliveryRow).where(DeliveryRow.id == delivery_id))
    if row is None or channel is None or DeliveryState(row.state).ended:
        return None
    return row, channel


def _note(row: DeliveryRow, receipt: Receipt) -> None:
    row.status, row.response = receipt.status, receipt.response
    row.duration_ms = receipt.duration


def _end(tx: Transaction, row: DeliveryRow, state: DeliveryState, message: str | None) -> None:
    row.state, row.message = state, message
    row.ended_at, row.next_attempt_at = tx.now, None


async def end_forgotten(tx: Transaction) -> None:
    """End the deliveries that no workflow ended in time, and those that waited for too long."""
    await _end_all(
        tx, _TOO_LATE, DeliveryRow.state.in_((DeliveryState.SENDING, DeliveryState.RETRYING)),
        DeliveryRow.released_at < tx.now - GIVEN_UP_AFTER,
    )  # fmt: skip
    await _end_all(
        tx, _WAITED, DeliveryRow.state == DeliveryState.WAITING,
        DeliveryRow.created_at < tx.now - WAITS_FOR,
    )  # fmt: skip


async def _end_all(tx: Transaction, message: str, *which: ColumnElement[bool]) -> None:
    forgotten = select(DeliveryRow.id).where(*which)
    await tx.session.execute(
        delete(OutboxRow).where(OutboxRow.kind == outbox.NOTIFY, OutboxRow.subject.in_(forgotten))
    )
    await tx.session.execute(
        update(DeliveryRow)
        .where(*which)
        .values(state=DeliveryState.FAILED, ended_at=tx.now, next_attempt_at=None,
                message=func.coalesce(DeliveryRow.message, message))
    )  # fmt: skip


async def overdue(tx: Transaction) -> list[str]:
    """Return the ids of deliveries of which nothing was recorded for long, though it should be."""
    expected = func.coalesce(
        DeliveryRow.next_attempt_at, DeliveryRow.last_attempt_at, DeliveryRow.released_at
    )
    query = select(DeliveryRow.id).where(
        DeliveryRow.state.in_((DeliveryState.SENDING, DeliveryState.RETRYING)),
        expected < tx.now - _OVERDUE_AFTER,
    )
    return list(await tx.session.scalars(query.order_by(DeliveryRow.id).limit(_AT_ONCE)))


async def lost(tx: Transaction, delivery_id: str) -> None:
    """Record that its workflow is not there any more."""
    await give_up(tx, delivery_id, _LOST)


async def give_up(tx: Transaction, delivery_id: str, message: str) -> None:
    """End a delivery as failed, without an attempt that would count against its channel."""
    await outbox.close(tx, outbox.NOTIFY, delivery_id)
    if found := await _locked(tx, delivery_id):
        row, channel = found
        _end(tx, row, DeliveryState.FAILED, message)
        channels.note_delivery(channel, row)


async def find(tx: Transaction, channel_id: str, delivery_id: str) -> DeliveryRow:
    """Raises: NotFound."""
    row = None
    if grammar.matches(grammar.ENTITY_ID, delivery_id):
        query = select(DeliveryRow).where(DeliveryRow.id == delivery_id)
        row = await tx.session.scalar(query.where(DeliveryRow.channel_id == channel_id))
    if row is None:
        raise NotFound(f"channel {channel_id} has no delivery {delivery_id!r}")
    return row


async def page(
    tx: Transaction, channel_id: str, *, before: str | None, limit: int
) -> list[DeliveryRow]:
    """Return a page, newest first; `before` is the last id of the previous page."""
    query = select(DeliveryRow).where(DeliveryRow.channel_id == channel_id)
    if before:
        query = query.where(DeliveryRow.id < before)
    return list(await tx.session.scalars(query.order_by(DeliveryRow.id.desc()).limit(limit)))


async def test(tx: Transaction, channel: ChannelRow) -> DeliveryRow:
    """Request one message to a channel, enabled or not."""
    content = {"channel": {"id": channel.id, "name": channel.name, "kind": channel.kind}}
    return await notices.add(tx, channel.id, NoticeKind.TEST, content)


async def redeliver(tx: Transaction, channel: ChannelRow, delivery_id: str) -> DeliveryRow:
    """Deliver the same message once more, whatever became of the first delivery.

    Raises:
        NotFound
        Conflict: it has not ended, or the channel is disabled.
    """
    row = await find(tx, channel.id, delivery_id)
    if not DeliveryState(row.state).ended:
        raise Conflict(f"{row.id} has not ended ({row.state}): it is still being delivered")
    if not channel.enabled:
        raise Conflict(f"channel {channel.id} is disabled; enable it first")
    if row.event_id is None:
        content = json.loads(row.content or "{}")
        return await notices.add(tx, channel.id, NoticeKind(row.kind), content, row.message_id)
    again = DeliveryRow(
        id=new_id("dlv"), channel_id=channel.id, event_id=row.event_id,
        deployment_id=row.deployment_id, kind=row.kind, message_id=row.message_id,
        state=DeliveryState.WAITING, attempts=0, created_at=tx.now,
    )  # fmt: skip
    await tx.insert(again)
    return again
