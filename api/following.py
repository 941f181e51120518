"""A deployment's log as server-sent events, from any byte on, until the deployment is over."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from api.watch import Watch
from aweigh.core.errors import Unavailable
from aweigh.deployments.deployment import DeploymentState
from aweigh.store import logs
from aweigh.store.progress import Progress, progress

_KEEPALIVE_SECONDS: Final = 15.0
#: Between two looks at whether an ended deployment is over: nothing is written when it is.
_SETTLING_SECONDS: Final = 0.5
#: Of a log that is in memory at a time, and is written into events in one go: far longer than the
#: longest line.
_PIECE: Final = 256 * 1024
#: A server worker sends its last lines within this time of the deployment's end.
_SETTLED: Final = timedelta(seconds=3)
#: A step that is still said to run so long after the end is nobody's any more.
_FORSAKEN: Final = timedelta(seconds=60)


async def pieces(watch: Watch, deployment_id: str, start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes of a log from `start` up to `end`, of which few are in memory at a time."""
    while start < end:
        async with watch.reading(), watch.store.read() as tx:
            data = await logs.read(tx, deployment_id, start, min(end - start, _PIECE))
        if not data:
            return  # it was swept away meanwhile
        start += len(data)
        yield data


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """What follows an offset: complete lines as events, and what is known behind them."""

    events: bytes
    offset: int
    state: str
    more: bool
    over: bool


async def follow(watch: Watch, deployment_id: str, offset: int) -> AsyncIterator[bytes]:
    """One event a line, `id` being the offset behind it; `end` with the state closes it."""
    told = time.monotonic()
    with watch.follow(deployment_id) as followed:
        while True:
            changed, start = followed.changed, offset
            try:
                batch = await watch.share(
                    (deployment_id, start, followed.generation),
                    partial(_read, watch, deployment_id, start),
                )
            except Unavailable:  # it will be back, and every reader would only come again
                yield KEEPALIVE_COMMENT
                await asyncio.sleep(_SETTLING_SECONDS)
                continue
            offset = batch.offset
            if batch.events:
                told = time.monotonic()
                yield batch.events
            elif batch.over:
                yield format_sse_event(data_str=json.dumps(batch.state), event="end")
                return
            if time.monotonic() - told > _KEEPALIVE_SECONDS:
                told = time.monotonic()
                yield KEEPALIVE_COMMENT
            if not (batch.more or batch.over):
                ended = DeploymentState(batch.state).ended
                pause = _SETTLING_SECONDS if ended else _KEEPALIVE_SECONDS
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await changed.wait()


async def _read(watch: Watch, deployment_id: str, offset: int) -> _Batch:
    async with watch.store.read() as tx:
        found = (await progress(tx, [deployment_id]))[deployment_id]
        data = await logs.read(tx, deployment_id, offset, _PIECE)
    more = len(data) == _PIECE
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


def _is_over(found: Progress, now: datetime) -> bool:
    if not DeploymentState(found.state).ended or found.finished_at is None:
        return False
    return now - found.finished_at > (_FORSAKEN if found.runs else _SETTLED)
