"""A deployment's log as server-sent events, from any byte on, until the deployment is over."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from aweigh.domain.deployment import DeploymentState, StepState
from aweigh.store import deployments, logs
from aweigh.store.database import Store
from aweigh.store.deployments import Deployment

_POLL_SECONDS: Final = 0.2
_KEEPALIVE_SECONDS: Final = 15.0
#: Of a log that is in memory at a time: far longer than the longest line.
_PIECE: Final = 1024**2
#: A server worker sends its last lines within this time of the deployment's end.
_SETTLED: Final = timedelta(seconds=3)
#: A step that is still said to run so long after the end is nobody's any more.
_FORSAKEN: Final = timedelta(seconds=60)


async def pieces(store: Store, deployment_id: str, start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes of a log from `start` up to `end`, of which few are in memory at a time."""
    while start < end:
        async with store.read() as tx:
            data = await logs.read(tx, deployment_id, start, min(end - start, _PIECE))
        if not data:
            return  # it was swept away meanwhile
        start += len(data)
        yield data


async def follow(store: Store, deployment_id: str, offset: int) -> AsyncIterator[bytes]:
    """One event a line, `id` being the offset behind it; `end` with the state closes it."""
    told = time.monotonic()
    while True:
        async with store.read() as tx:
            found = await deployments.find(tx, deployment_id)
            data = await logs.read(tx, deployment_id, offset, _PIECE)
        more = len(data) == _PIECE
        over = _is_over(found, tx.now) and not more
        lines = data[: data.rfind(b"\n") + 1]
        complete = data if over or (more and not lines) else lines
        for line in io.BytesIO(complete):  # by line feeds alone
            offset += len(line)
            text = line.decode(errors="replace").removesuffix("\n")
            # As a JSON string: a bare carriage return in a line would forge an event.
            yield format_sse_event(data_str=json.dumps(text), id=str(offset))
            told = time.monotonic()
        if over and not complete:
            yield format_sse_event(data_str=json.dumps(found.row.state), event="end")
            return
        if time.monotonic() - told > _KEEPALIVE_SECONDS:
            yield KEEPALIVE_COMMENT
            told = time.monotonic()
        if not more:
            await asyncio.sleep(_POLL_SECONDS)


def _is_over(found: Deployment, now: datetime) -> bool:
    if not DeploymentState(found.row.state).ended or found.row.finished_at is None:
        return False
    since = now - found.row.finished_at
    runs = any(step.state == StepState.RUNNING for step in found.steps)
    return since > (_FORSAKEN if runs else _SETTLED)
