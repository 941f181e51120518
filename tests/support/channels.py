"""Channels and their deliveries, in a store."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import select

from aweigh.notifications.channel import Channel
from aweigh.notifications.delivery import Receipt
from aweigh.store import channels, deliveries, dispatch, outbox
from aweigh.store.database import Store
from aweigh.store.deliveries import Attempt
from aweigh.store.tables import ChannelRow, DeliveryRow, OutboxRow

TAKEN = Receipt(status=204, response="", duration=12)
BROKEN = Receipt(status=500, response="no", duration=34)

_CHANNEL: TypeAdapter[Channel] = TypeAdapter(Channel)


def channel_of(**fields: Any) -> Channel:
    """A webhook, unless it is another kind."""
    given = {"name": "ops", "kind": "webhook"} | fields
    if given["kind"] == "webhook":
        given.setdefault("url", "https://hooks.example.com/aweigh")
    return _CHANNEL.validate_python(given)


EMAIL = {
    "kind": "email", "host": "mail.example.com", "from": "aweigh@example.com",
    "to": ["ops@example.com"],
}  # fmt: skip


async def new_channel(store: Store, **fields: Any) -> str:
    """The id of a new channel."""
    async with store.write() as tx:
        return (await channels.create(tx, channel_of(**fields))).row.id


async def dispatched(
    store: Store, later: timedelta = timedelta(), *, busy: int = 1_000, while_deploying: int = 1_000
) -> None:
    """Dispatch and release, as the relay does, at another pace unless told."""
    more = True
    while more:
        async with store.write() as tx:
            then = replace(tx, now=tx.now + later)
            more = await dispatch.dispatch(then)
            await dispatch.release(then, busy=busy, while_deploying=while_deploying)


async def deliveries_of(store: Store, channel_id: str) -> list[DeliveryRow]:
    """In the order of their events."""
    query = select(DeliveryRow).where(DeliveryRow.channel_id == channel_id)
    async with store.read() as tx:
        return list(await tx.session.scalars(query.order_by(DeliveryRow.event_id, DeliveryRow.id)))


async def states(store: Store, channel_id: str) -> list[tuple[str, str]]:
    """Kinds and states, in the order of the events."""
    found = await deliveries_of(store, channel_id)
    return [(row.kind.rpartition(".")[2], row.state) for row in found]


async def channel_row(store: Store, channel_id: str) -> ChannelRow:
    async with store.read() as tx:
        return await tx.session.get_one(ChannelRow, channel_id)


async def begin(store: Store, delivery_id: str, later: timedelta = timedelta()) -> Attempt | None:
    async with store.write() as tx:
        return await deliveries.begin(replace(tx, now=tx.now + later), delivery_id)


async def deliver(store: Store, delivery_id: str) -> None:
    """One attempt, which the channel accepts."""
    await begin(store, delivery_id)
    async with store.write() as tx:
        await deliveries.delivered(tx, delivery_id, TAKEN)


async def fail(
    store: Store, delivery_id: str, *, again: bool = True, later: timedelta = timedelta(),
    receipt: Receipt = BROKEN,
) -> bool:  # fmt: skip
    """One attempt, which the channel does not accept."""
    await begin(store, delivery_id)
    async with store.write() as tx:
        then = replace(tx, now=tx.now + later)
        retry_at = then.now + timedelta(seconds=5) if again else None
        return await deliveries.failed(then, delivery_id, receipt, "500 no", retry_at=retry_at)


async def handed_over(store: Store) -> list[str]:
    """The ids of the deliveries whose hand-over is requested, the oldest first."""
    query = select(OutboxRow.subject).where(OutboxRow.kind == outbox.NOTIFY)
    async with store.read() as tx:
        return list(await tx.session.scalars(query.order_by(OutboxRow.id)))
