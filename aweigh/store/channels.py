"""Channels: their settings, their signing secrets, and whether they accept what they are sent."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import and_, or_, select, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError

from aweigh.core import grammar
from aweigh.core.errors import BAD_DATA, Conflict, NotFound, Unreadable
from aweigh.core.ids import new_id
from aweigh.core.model import place_of
from aweigh.notifications.channel import Channel, Webhook, new_signing_secret
from aweigh.notifications.channel_settings import ChannelKind
from aweigh.notifications.delivery_state import DeliveryState, NoticeKind
from aweigh.secrets.error_text import said_by
from aweigh.secrets.value import REVEAL
from aweigh.secrets.vault import SealOwner
from aweigh.store import events, notices
from aweigh.store.database import Transaction, locking
from aweigh.store.tables import ChannelRow, DeliveryRow

_log = structlog.get_logger(__name__)

_CHANNEL: TypeAdapter[Channel] = TypeAdapter(Channel)
_SETTINGS: Final = "channels.settings"
_SEALED: Final = ("settings", "secret", "old_secret")
#: The old secret signs beside the new one for this long.
OVERLAP: Final = timedelta(hours=24)
#: A channel that has accepted nothing for this long is disabled, once at least so many deliveries
#: were given up meanwhile: one message that it does not take says little about the next.
FAILING_FOR: Final = timedelta(days=3)
_FEWEST_GIVEN_UP: Final = 2


@dataclass(frozen=True, kw_only=True)
class OpenedChannel:
    """A channel with its settings, opened."""

    row: ChannelRow
    settings: Channel


def opened(tx: Transaction, row: ChannelRow) -> OpenedChannel:
    """Raises: Unreadable."""
    text = tx.vault.open(SealOwner(kind=_SETTINGS, id=row.id), row.settings)
    try:
        settings = _CHANNEL.validate_json(text)
    except ValidationError as error:
        places = ", ".join(place_of(one["loc"]) for one in error.errors(include_input=False))
        raise Unreadable(f"the settings of channel {row.id} are invalid at {places}") from None
    return OpenedChannel(row=row, settings=settings.model_copy(update={"enabled": row.enabled}))


def readable(tx: Transaction, rows: Iterable[ChannelRow]) -> list[OpenedChannel]:
    """Return the channels whose settings can be read; log and skip the others."""
    found = []
    for row in rows:
        try:
            found.append(opened(tx, row))
        except BAD_DATA as error:
            _log.error("the settings of a channel cannot be read", channel=row.id,
                       error=said_by(error, masks=False))  # fmt: skip
    return found


async def create(tx: Transaction, settings: Channel) -> OpenedChannel:
    """Create a channel; it is told of events from now on.

    Raises:
        Conflict: the name is taken.
    """
    row = ChannelRow(
        id=new_id("chn"), kind=settings.kind, enabled=settings.enabled, given_up=0,
        since_event=await events.newest(tx), created_at=tx.now,
    )  # fmt: skip
    if isinstance(settings, Webhook):
        given = settings.secret.get_secret_value() if settings.secret else new_signing_secret()
        _seal(tx, row, "secret", given)
    _seal_settings(tx, row, settings)
    tx.session.add(row)
    await _flush(tx, settings.name)
    return OpenedChannel(row=row, settings=settings)


async def change(tx: Transaction, row: ChannelRow, settings: Channel) -> OpenedChannel:
    """Change the settings of a channel whose row is locked; its kind stays.

    Raises:
        Conflict: the name is taken.
        Unreadable
    """
    if isinstance(settings, Webhook) and settings.secret:
        _replace_secret(tx, row, settings.secret.get_secret_value())
    if settings.target_fields != opened(tx, row).settings.target_fields:
        row.retargeted_at = tx.now
        _begin_anew(row)
    if settings.enabled and not row.enabled:
        row.since_event, row.disabled_reason = await events.newest(tx), None
        _begin_anew(row)
    elif row.enabled and not settings.enabled:
        await _drop_waiting(tx, row.id)
    row.enabled = settings.enabled
    _seal_settings(tx, row, settings)
    await _flush(tx, settings.name)
    return OpenedChannel(row=row, settings=settings)


def _begin_anew(row: ChannelRow) -> None:
    row.failing_since, row.given_up, row.paused_until = None, 0, None


async def _flush(tx: Transaction, name: str) -> None:
    try:
        await tx.session.flush()
    except IntegrityError as error:
        raise Conflict(f"there is a channel named {name!r} already") from error


def _seal_settings(tx: Transaction, row: ChannelRow, settings: Channel) -> None:
    row.name, row.updated_at = settings.name, tx.now
    text = settings.model_dump_json(context=REVEAL, by_alias=True, exclude={"secret"})
    _seal(tx, row, "settings", text)


def _seal(tx: Transaction, row: ChannelRow, column: str, text: str) -> None:
    setattr(row, column, tx.vault.seal(_owner(row, column), text))


def _owner(row: ChannelRow, column: str) -> SealOwner:
    # A rotation moves a sealed secret from one column to the other.
    return SealOwner(kind=f"channels.{column.removeprefix('old_')}", id=row.id)


def reseal(tx: Transaction, row: ChannelRow) -> int:
    """Seal all its secrets again, with the current key; return how many it has."""
    present = [column for column in _SEALED if getattr(row, column)]
    for column in present:
        _seal(tx, row, column, tx.vault.open(_owner(row, column), getattr(row, column)))
    return len(present)


def rotate_secret(tx: Transaction, row: ChannelRow) -> None:
    """Replace the signing secret; the old one signs beside it for a day.

    Raises:
        Conflict: the kind has none.
    """
    if row.secret is None:
        raise Conflict(f"a channel of the kind {row.kind} has no secret: only webhooks are signed")
    _replace_secret(tx, row, new_signing_secret())
    row.updated_at = tx.now


def _replace_secret(tx: Transaction, row: ChannelRow, secret: str) -> None:
    """Let the old secret sign for a day; while an older one does, that one is kept to its end.

    The receiver knows the older one: a call that was repeated has replaced one that nobody saw.
    """
    known = signing_secrets(tx, row)
    if known and known[0] == secret:
        return
    if len(known) == 1:
        row.old_secret, row.old_secret_until = row.secret, tx.now + OVERLAP
    _seal(tx, row, "secret", secret)


def signing_secrets(tx: Transaction, row: ChannelRow) -> tuple[str, ...]:
    """Return the secrets that sign now, the newest first; none but of webhooks."""
    sealed = [("secret", row.secret)]
    if row.old_secret_until and row.old_secret_until > tx.now:
        sealed.append(("old_secret", row.old_secret))
    return tuple(tx.vault.open(_owner(row, column), one) for column, one in sealed if one)


async def find_row(tx: Transaction, channel_id: str, *, lock: bool = False) -> ChannelRow:
    """Raises: NotFound."""
    row = None
    if grammar.matches(grammar.ENTITY_ID, channel_id):
        query = select(ChannelRow).where(ChannelRow.id == channel_id)
        row = await (tx.locked(query) if lock else tx.session.scalar(query))
    if row is None:
        raise NotFound(f"there is no channel {channel_id!r}")
    return row


async def page(tx: Transaction, *, after: str | None, limit: int) -> list[ChannelRow]:
    query = select(ChannelRow).order_by(ChannelRow.id).limit(limit)
    if after:
        query = query.where(ChannelRow.id > after)
    return list(await tx.session.scalars(query))


async def delete(tx: Transaction, row: ChannelRow) -> None:
    """Delete a channel, and its deliveries with it."""
    await tx.session.execute(sql_delete(ChannelRow).where(ChannelRow.id == row.id))


def note_success(row: ChannelRow, now: datetime) -> None:
    row.last_success_at = now
    row.failing_since, row.given_up = None, 0


def note_failure(row: ChannelRow, now: datetime, *, gave_up: bool) -> bool:
    """Record a failed attempt; return whether the channel has accepted nothing for too long.

    `gave_up`: it was the last attempt of its delivery.
    """
    row.failing_since = row.failing_since or now
    row.given_up += gave_up
    return now - row.failing_since >= FAILING_FOR and row.given_up >= _FEWEST_GIVEN_UP


def is_of_target(row: ChannelRow, attempted_at: datetime | None) -> bool:
    """Whether an attempt was made at the target that the channel has now."""
    return not row.retargeted_at or bool(attempted_at and attempted_at > row.retargeted_at)


async def disable(tx: Transaction, channel_id: str, reason: str, attempted_at: datetime) -> None:
    """Disable a channel that accepts nothing more, and say so to the channels of kind `email`.

    It stays as it is if its target was changed after that attempt.

    Call it in a transaction that has locked no channel: two that are disabled at once tell each
    other, so that all are locked in one order.
    """
    by_mail = and_(ChannelRow.enabled, ChannelRow.kind == ChannelKind.EMAIL)
    query = select(ChannelRow).where(or_(ChannelRow.id == channel_id, by_mail))
    found = await tx.session.scalars(locking(query.order_by(ChannelRow.id)))
    rows = {one.id: one for one in found}
    row = rows.pop(channel_id, None)
    if row is None or not row.enabled or not is_of_target(row, attempted_at):
        return
    row.enabled, row.disabled_reason, row.updated_at = False, reason, tx.now
    await _drop_waiting(tx, row.id)
    _log.warning("a channel was disabled", channel=row.id, name=row.name, reason=reason)
    content: dict[str, Any] = {
        "channel": {"id": row.id, "name": row.name, "kind": row.kind}, "reason": reason,
    }  # fmt: skip
    for other in rows:
        await notices.add(tx, other, NoticeKind.DISABLED, content)


async def _drop_waiting(tx: Transaction, channel_id: str) -> None:
    """Those that are being sent are dropped when their next attempt would begin."""
    waiting = (DeliveryState.WAITING, DeliveryState.RETRYING)
    await tx.session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.channel_id == channel_id, DeliveryRow.state.in_(waiting))
        .values(state=DeliveryState.DROPPED, message=CHANNEL_DISABLED, ended_at=tx.now,
                next_attempt_at=None)
    )  # fmt: skip


#: Why such a delivery was dropped.
CHANNEL_DISABLED: Final = "The channel was disabled."


def note_delivery(row: ChannelRow, delivery: DeliveryRow) -> None:
    """Remember what came of the last attempt."""
    at = delivery.last_attempt_at
    row.last_delivery = json.dumps(
        {"at": at.isoformat() if at else None, "state": delivery.state,
         "status": delivery.status, "message": delivery.message}
    )  # fmt: skip
