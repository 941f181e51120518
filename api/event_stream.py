"""Events as server-sent events: each one once, in order, resumed by the id of the last one."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from api.followers import EVENTS, Followers
from api.server_sent_events import KEEPALIVE_SECONDS
from aweigh.core.errors import Unavailable
from aweigh.core.settings import Settings
from aweigh.notifications.event_payload import event_payload
from aweigh.store import events
from aweigh.store.events import Filter

#: The events that are read at a time: what a reader who stops reading costs at most.
_AT_ONCE: Final = 50
#: Seconds between two attempts while the database is away.
_PAUSE: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Events after a position, as they are sent, and the position behind them."""

    written: bytes
    position: int
    more: bool


@dataclass(frozen=True, kw_only=True)
class EventStream:
    followers: Followers
    settings: Settings
    wanted: Filter

    async def follow(self, position: int) -> AsyncGenerator[bytes, None]:
        """Yield the events after a position until the process stops.

        Readers of the same events share what is read; a slow one holds one batch.
        """
        sent = time.monotonic()
        with self.followers.follow(EVENTS) as followed:
            while not self.followers.is_closed:
                changed = followed.changed
                key = (EVENTS, self.wanted, position, followed.generation)
                try:
                    batch = await self.followers.share(key, partial(self._read, position))
                except Unavailable:  # the database comes back; readers would only reconnect
                    yield KEEPALIVE_COMMENT
                    await asyncio.sleep(_PAUSE)
                    continue
                position = batch.position
                if batch.written:
                    sent = time.monotonic()
                    yield batch.written
                elif time.monotonic() - sent >= KEEPALIVE_SECONDS:
                    sent = time.monotonic()
                    yield KEEPALIVE_COMMENT
                if not batch.more:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(KEEPALIVE_SECONDS):
                            await changed.wait()

    async def _read(self, position: int) -> _Batch:
        async with self.followers.store.read() as tx:
            found = await events.after(tx, self.wanted, position, _AT_ONCE)
            newest = await events.newest(tx)
        more = len(found) == _AT_ONCE
        written = [
            format_sse_event(
                data_str=event_payload(one, self.settings).model_dump_json(),
                event=one.kind, id=str(one.id),
            )
            for one in found
        ]  # fmt: skip
        return _Batch(
            written=b"".join(written),
            position=found[-1].id if more else max(position, newest),
            more=more,
        )
