"""A deployment's log as server-sent events, from any byte on, until the deployment is over."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from aweigh.domain.deployment import DeploymentState, StepState
from aweigh.store import deployments, logs
from aweigh.store.database import Store

_POLL_SECONDS: Final = 0.2
_KEEPALIVE_SECONDS: Final = 15.0
#: A server worker sends its last lines within this time of the deployment's end.
_SETTLED_SECONDS: Final = 3.0


async def follow(store: Store, deployment_id: str, offset: int) -> AsyncIterator[bytes]:
    """One event a line, `id` being the offset behind it; `end` with the state closes it."""
    told = time.monotonic()
    while True:
        async with store.read() as tx:
            found = await deployments.find(tx, deployment_id)
            data = await logs.read(tx, deployment_id, offset)
        over = DeploymentState(found.row.state).ended and not any(
            step.state == StepState.RUNNING for step in found.steps
        )
        complete = data if over else data[: data.rfind(b"\n") + 1]
        for line in complete.splitlines(keepends=True):
            offset += len(line)
            text = line.decode(errors="replace").rstrip("\n")
            # As a JSON string: a bare carriage return in a line would forge an event.
            yield format_sse_event(data_str=json.dumps(text), id=str(offset))
            told = time.monotonic()
        if over and time.monotonic() - told > _SETTLED_SECONDS:
            yield format_sse_event(data_str=json.dumps(found.row.state), event="end")
            return
        if time.monotonic() - told > _KEEPALIVE_SECONDS:
            yield KEEPALIVE_COMMENT
            told = time.monotonic()
        await asyncio.sleep(_POLL_SECONDS)
