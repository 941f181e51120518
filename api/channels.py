"""Channels: created, read, changed, tested, removed; and what was delivered to them."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Query, Response

from api.channel_answers import (
    ChannelAnswer,
    ChannelCreated,
    ChannelPage,
    ChannelSecret,
    DeliveryAnswer,
    DeliveryPage,
    channel_answer,
    delivery_answer,
    row_answer,
)
from api.channel_targets import check_target
from api.dependencies import Admin, AppContext, Context, Cursor, Reader
from aweigh.core.errors import Conflict, Invalid, NotFound
from aweigh.notifications.channel import Channel
from aweigh.notifications.channel_merge import merged
from aweigh.store import applications, channels, deliveries
from aweigh.store.database import Transaction
from aweigh.store.tables import ChannelRow

router = APIRouter(prefix="/v1/channels", tags=["channels"])

_LONGEST_TEST: Final = 30
_POLL_SECONDS: Final = 0.1
_TestWait = Annotated[
    int, Query(ge=0, le=_LONGEST_TEST, description="Seconds to wait for the receiver's answer")
]


async def _check_applications(
    tx: Transaction, new: Channel, known: Collection[str] = frozenset()
) -> None:
    """Raises: Invalid: an application is unknown."""
    for name in new.applications:
        if name not in known:
            try:
                await applications.find_row(tx, name)
            except NotFound as error:
                raise Invalid("applications", str(error)) from error


@router.get("")
async def list_channels(
    context: Context,
    _: Reader,
    after: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> ChannelPage:
    """`unreadable` lists the channels whose settings cannot be read; they can be removed."""
    async with context.store.read() as tx:
        rows = await channels.page(tx, after=after, limit=limit)
        found = channels.readable(tx, rows)
    shown = {one.row.id for one in found}
    return ChannelPage(
        items=[channel_answer(one) for one in found],
        next=rows[-1].id if len(rows) == limit else None,
        unreadable=[row_answer(row) for row in rows if row.id not in shown],
    )


@router.post("", status_code=201)
async def create_channel(
    context: Context, _: Admin, new: Annotated[Channel, Body()]
) -> ChannelCreated:
    """Create a channel; it is told of events from now on."""
    await check_target(context, new)
    async with context.store.write(urgent=True) as tx:
        await _check_applications(tx, new)
        made = await channels.create(tx, new)
        secret = next(iter(channels.signing_secrets(tx, made.row)), None)
    return ChannelCreated(**dict(channel_answer(made)), secret=secret)


@router.get("/{channel}")
async def read_channel(context: Context, _: Reader, channel: str) -> ChannelAnswer:
    async with context.store.read() as tx:
        return channel_answer(channels.opened(tx, await channels.find_row(tx, channel)))


@router.patch("/{channel}")
async def change_channel(
    context: Context, _: Admin, channel: str, change: Annotated[dict[str, Any], Body()]
) -> ChannelAnswer:
    """A JSON merge patch (RFC 7396) of the settings; `enabled` enables a disabled channel again."""
    async with context.store.read() as tx:
        known = channels.opened(tx, await channels.find_row(tx, channel)).settings
    checked = merged(known, change)
    await check_target(context, checked, known)  # may take long: not in a transaction
    async with context.store.write(urgent=True) as tx:
        row = await channels.find_row(tx, channel, lock=True)
        known = channels.opened(tx, row).settings
        settings = merged(known, change)
        if settings.target_fields not in (checked.target_fields, known.target_fields):
            raise Conflict("another request changed the channel's target meanwhile; retry")
        await _check_applications(tx, settings, known.applications)
        return channel_answer(await channels.change(tx, row, settings))


@router.delete("/{channel}", status_code=204, response_class=Response)
async def delete_channel(context: Context, _: Admin, channel: str) -> None:
    """Delete a channel with its deliveries; those that wait end quietly."""
    async with context.store.write(urgent=True) as tx:
        await channels.delete(tx, await channels.find_row(tx, channel, lock=True))


@router.get("/{channel}/secret")
async def read_secret(context: Context, _: Admin, channel: str) -> ChannelSecret:
    """Return the secret that verifies a webhook's signatures."""
    async with context.store.read() as tx:
        return _secret(tx, await channels.find_row(tx, channel))


@router.post("/{channel}/rotate")
async def rotate_secret(context: Context, _: Admin, channel: str) -> ChannelSecret:
    """Replace a webhook's secret; the old one signs beside it for 24 hours."""
    async with context.store.write(urgent=True) as tx:
        row = await channels.find_row(tx, channel, lock=True)
        channels.rotate_secret(tx, row)
        return _secret(tx, row)


def _secret(tx: Transaction, row: ChannelRow) -> ChannelSecret:
    found = channels.signing_secrets(tx, row)
    if not found:
        raise NotFound(f"a channel of kind {row.kind} has no secret: only webhooks are signed")
    return ChannelSecret(secret=found[0])


@router.post("/{channel}/test")
async def send_test(
    context: Context, _: Admin, channel: str, response: Response, wait: _TestWait = _LONGEST_TEST
) -> DeliveryAnswer:
    """Send one message, and answer with what came of it; 202 if that takes longer."""
    async with context.store.write(urgent=True) as tx:
        made = await deliveries.test(tx, await channels.find_row(tx, channel, lock=True))
    context.notifications.wake()
    shown = delivery_answer(made)
    with suppress(TimeoutError):
        async with asyncio.timeout(wait):
            while not (shown.state.ended or context.followers.is_closed):
                await asyncio.sleep(_POLL_SECONDS)
                shown = await _shown(context, channel, made.id)
    if not shown.state.ended:
        response.status_code = 202
    return shown


async def _shown(context: AppContext, channel: str, delivery: str) -> DeliveryAnswer:
    async with context.followers.reading(), context.store.read() as tx:
        return delivery_answer(await deliveries.find(tx, channel, delivery))


@router.get("/{channel}/deliveries")
async def list_deliveries(
    context: Context,
    _: Reader,
    channel: str,
    before: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> DeliveryPage:
    """Newest first."""
    async with context.store.read() as tx:
        row = await channels.find_row(tx, channel)
        found = await deliveries.page(tx, row.id, before=before, limit=limit)
    following = found[-1].id if len(found) == limit else None
    return DeliveryPage(items=[delivery_answer(one) for one in found], next=following)


@router.get("/{channel}/deliveries/{delivery}")
async def read_delivery(context: Context, _: Reader, channel: str, delivery: str) -> DeliveryAnswer:
    async with context.store.read() as tx:
        row = await channels.find_row(tx, channel)
        return delivery_answer(await deliveries.find(tx, row.id, delivery))


@router.post("/{channel}/deliveries/{delivery}/redeliver", status_code=202)
async def redeliver(context: Context, _: Admin, channel: str, delivery: str) -> DeliveryAnswer:
    """Deliver the same message once more, in a new delivery."""
    async with context.store.write(urgent=True) as tx:
        row = await channels.find_row(tx, channel, lock=True)
        made = await deliveries.redeliver(tx, row, delivery)
    context.notifications.wake()
    return delivery_answer(made)
