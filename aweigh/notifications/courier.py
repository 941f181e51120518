"""Delivers notifications: one attempt at a time, each of them recorded."""

import asyncio
import traceback
from dataclasses import replace
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Final

import structlog

from aweigh.core.errors import NotFound, Unavailable, Unreadable
from aweigh.core.settings import Settings
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import EventKind
from aweigh.notifications.delivery import DeliveryFailed, NotDelivered, Notification, Receipt
from aweigh.notifications.delivery_state import DeliveryState, NoticeKind
from aweigh.notifications.event_payload import event_payload
from aweigh.notifications.message import LOG_LINES, event_notification, notice_notification
from aweigh.notifications.pauses import pause_after, pause_of_channel
from aweigh.notifications.senders.senders import Senders
from aweigh.secrets.value import mask_lines
from aweigh.store import channels, deliveries, deployments, logs
from aweigh.store.database import Store
from aweigh.store.deliveries import Attempt
from aweigh.store.events import Event
from aweigh.store.tables import DeliveryRow

#: How much of a log is read for its last lines.
_LAST_BYTES: Final = 16 * 1024
#: Seconds.
_RECORD_PAUSES: Final = (0.5, 1.0, 2.0)
_NO_RECEIPT: Final = Receipt(status=None, response="", duration=0)

_log = structlog.get_logger(__name__)


class Courier:
    """Makes the attempts of deliveries, and decides when the next one is made."""

    def __init__(self, store: Store, senders: Senders, settings: Settings) -> None:
        self._store = store
        self._senders = senders
        self._settings = settings

    async def deliver(self, delivery_id: str) -> str:
        """Make one attempt; return what became of the delivery, for people.

        Raises:
            NotDelivered: the attempt failed, or the delivery had failed before.
        """
        try:
            async with self._store.write() as tx:
                attempt = await deliveries.begin(tx, delivery_id)
        except Unreadable as error:
            await self._end(delivery_id, f"It cannot be read: {error}.")
            raise NotDelivered(f"It cannot be read: {error}.") from None
        if attempt is None:
            return await self._how_it_ended(delivery_id)
        try:
            receipt = await self._send(attempt)
        except DeliveryFailed as failed:
            raise await self._record_failure(attempt, failed) from None
        await self._record_success(delivery_id, receipt)
        remark = f" {receipt.remark}" if receipt.remark else ""
        return f"Delivered by attempt {attempt.number}{_status(receipt)}.{remark}"

    async def cancelled(self, delivery_id: str) -> None:
        """Record that the delivery was cancelled in Temporal."""
        await self._end(delivery_id, "It was cancelled in Temporal.")

    async def _record_success(self, delivery_id: str, receipt: Receipt) -> None:
        """Insist while the database is busy: without a record, the message is sent once more.

        Raises:
            Unavailable
        """
        for pause in (*_RECORD_PAUSES, None):
            try:
                async with self._store.write() as tx:
                    return await deliveries.delivered(tx, delivery_id, receipt)
            except Unavailable:
                if pause is None:
                    raise
                await asyncio.sleep(pause)

    async def _end(self, delivery_id: str, message: str) -> None:
        async with self._store.write() as tx:
            await deliveries.give_up(tx, delivery_id, message)

    async def _how_it_ended(self, delivery_id: str) -> str:
        """Raises: NotDelivered."""
        async with self._store.read() as tx:
            row = await tx.session.get(DeliveryRow, delivery_id)
        if row is None:
            return "Dropped: its channel or its event was deleted."
        if row.state == DeliveryState.FAILED:
            raise NotDelivered(row.message or "The delivery has failed.")
        return f"{row.state.capitalize()}{f': {row.message}' if row.message else '.'}"

    async def _send(self, attempt: Attempt) -> Receipt:
        """Raises: DeliveryFailed."""
        try:
            notification = await self._notification(attempt)
            return await self._senders.send(attempt.channel, attempt.signing_secrets, notification)
        except DeliveryFailed:
            raise
        except Exception as error:  # noqa: BLE001 (an unrecorded attempt would be made for ever)
            kind = type(error).__name__
            # Without the error's text, which may repeat the channel's secrets.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("a notification was not sent", delivery=attempt.delivery_id, error=kind,
                       where=where)  # fmt: skip
            message = f"An unexpected {kind}; the log of the control worker says more."
            raise DeliveryFailed(message, _NO_RECEIPT) from None

    async def _notification(self, attempt: Attempt) -> Notification:
        if attempt.event is None:
            return notice_notification(
                attempt.kind, attempt.message_id, attempt.created_at, attempt.content or {}
            )
        payload = event_payload(attempt.event, self._settings)
        log = await self._last_lines(attempt.event)
        told = event_notification(payload, attempt.message_id, log)
        return replace(told, answered=attempt.answered)

    async def _last_lines(self, event: Event) -> list[str]:
        """Return the end of a failed deployment's log, masked once more."""
        if event.kind is not EventKind.FAILED:
            return []
        async with self._store.read() as tx:
            try:
                row = await deployments.find_row(tx, event.deployment.id)
                release = await deployments.release_of(tx, row)
            except (NotFound, Unreadable):
                return []
            length = await logs.length(tx, row.id)
            start = max(length - _LAST_BYTES, 0)
            data = await logs.read(tx, row.id, start, _LAST_BYTES)
        lines = data.decode(errors="replace").splitlines()[1 if start else 0 :]
        masked = await in_thread(partial(mask_lines, lines, release.secrets))
        return [line.partition(" ")[2] for line in masked[-LOG_LINES:]]

    async def _record_failure(self, attempt: Attempt, failed: DeliveryFailed) -> NotDelivered:
        message = str(failed)
        if failed.is_gone:  # before the record, after which no attempt would find it out
            await self._disable(attempt, failed)
        async with self._store.write() as tx:
            is_last = failed.is_final or failed.is_gone or attempt.kind == NoticeKind.TEST
            left = timedelta() if is_last else attempt.deadline - tx.now
            pause = pause_after(
                attempt.number, left, failed.retry_after, is_limited=_is_limited(failed)
            )
            rest = pause_of_channel(failed.retry_after)
            is_to_be_disabled = await deliveries.failed(
                tx, attempt.delivery_id, failed.receipt, message,
                retry_at=tx.now + pause if pause else None,
                paused_until=tx.now + rest if rest else None,
            )  # fmt: skip
        if is_to_be_disabled:
            await self._disable(attempt, failed)
        return NotDelivered(message, pause)

    async def _disable(self, attempt: Attempt, failed: DeliveryFailed) -> None:
        async with self._store.write() as tx:
            await channels.disable(tx, attempt.channel_id, _why_disabled(failed), attempt.began)


def _is_limited(failed: DeliveryFailed) -> bool:
    return failed.receipt.status == HTTPStatus.TOO_MANY_REQUESTS


def _status(receipt: Receipt) -> str:
    return "" if receipt.status is None else f", answered {receipt.status}"


def _why_disabled(failed: DeliveryFailed) -> str:
    if failed.is_gone:
        return f"The receiver no longer exists: {failed}"
    return f"The receiver accepted nothing for three days. The last attempt: {failed}"
