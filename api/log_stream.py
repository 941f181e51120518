"""The log of a deployment: its bytes in chunks, or as server-sent events until its end."""

import asyncio
import io
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from api.followers import Followers
from api.server_sent_events import KEEPALIVE_SECONDS
from aweigh.core.errors import Unavailable
from aweigh.deployments.deployment import DeploymentState
from aweigh.store import logs
from aweigh.store.deployments import DeploymentProgress, progress

#: Seconds between two checks whether an ended deployment's log is complete: no write tells it.
_SETTLING_SECONDS: Final = 0.5
#: The bytes of a log that are read at a time: far more than the longest line.
_CHUNK: Final = 256 * 1024
#: A server worker sends its last lines within this time of the deployment's end.
_SETTLED: Final = timedelta(seconds=3)
#: A step still recorded as running this long after the end was abandoned.
_ABANDONED: Final = timedelta(seconds=60)


async def chunks(
    followers: Followers, deployment_id: str, start: int, end: int
) -> AsyncIterator[bytes]:
    """Yield the bytes of a log from `start` up to `end`, a chunk at a time."""
    while start < end:
        async with followers.reading(), followers.store.read() as tx:
            data = await logs.read(tx, deployment_id, start, min(end - start, _CHUNK))
        if not data:
            return  # the retention removed it meanwhile
        start += len(data)
        yield data


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """The complete lines behind an offset as events, and the state of the log behind them."""

    events: bytes
    offset: int
    state: str
    more: bool
    over: bool


async def follow(
    followers: Followers, deployment_id: str, offset: int
) -> AsyncGenerator[bytes, None]:
    """Yield an event for each line, its `id` the offset behind it; `end` carries the state."""
    sent = time.monotonic()
    with followers.follow(deployment_id) as followed:
        while not followers.is_closed:
            changed, start = followed.changed, offset
            try:
                batch = await followers.share(
                    (deployment_id, start, followed.generation),
                    partial(_read, followers, deployment_id, start),
                )
            except Unavailable:  # the database comes back; readers would only reconnect
                yield KEEPALIVE_COMMENT
                await asyncio.sleep(_SETTLING_SECONDS)
                continue
            if batch is None:
                return  # the record was deleted meanwhile, and the log with it
            offset = batch.offset
            if batch.events:
                sent = time.monotonic()
                yield batch.events
            elif batch.over:
                yield format_sse_event(data_str=json.dumps(batch.state), event="end")
                return
            if time.monotonic() - sent > KEEPALIVE_SECONDS:
                sent = time.monotonic()
                yield KEEPALIVE_COMMENT
            if not (batch.more or batch.over):
                ended = DeploymentState(batch.state).ended
                pause = _SETTLING_SECONDS if ended else KEEPALIVE_SECONDS
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await changed.wait()


async def _read(followers: Followers, deployment_id: str, offset: int) -> _Batch | None:
    """Return what follows an offset; None if the deployment has no record any more."""
    async with followers.store.read() as tx:
        found = (await progress(tx, [deployment_id])).get(deployment_id)
        if found is None:
            return None
        data = await logs.read(tx, deployment_id, offset, _CHUNK)
    more = len(data) == _CHUNK
    over = _is_over(found, tx.now) and not more
    lines = data[: data.rfind(b"\n") + 1]
    complete = data if over or (more and not lines) else lines
    return _Batch(
        events=_events(complete, offset),
        offset=offset + len(complete),
        state=found.state,
        more=more,
        over=over,
    )


def _events(complete: bytes, offset: int) -> bytes:
    written = []
    for line in io.BytesIO(complete):  # by line feeds alone
        offset += len(line)
        text = line.decode(errors="replace").removesuffix("\n")
        # As a JSON string: a bare carriage return in a line would forge an event.
        written.append(format_sse_event(data_str=json.dumps(text), id=str(offset)))
    return b"".join(written)


def _is_over(found: DeploymentProgress, now: datetime) -> bool:
    if not DeploymentState(found.state).ended or found.finished_at is None:
        return False
    return now - found.finished_at > (_ABANDONED if found.has_running_step else _SETTLED)
