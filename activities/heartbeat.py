"""Heartbeats of a running activity, with its progress for Temporal's UI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from temporalio import activity

_INTERVAL_SECONDS: Final = 1.0


@dataclass
class Heartbeat:
    """The details of the next heartbeat, shown under *Pending Activities*."""

    #: Masked: Temporal stores it, and keeps that of an attempt which timed out in the history.
    detail: str = ""

    def show(self, detail: str) -> None:
        self.detail = detail

    async def repeat(self) -> None:
        while True:
            # Most activities end before the first one, which then costs Temporal nothing.
            await asyncio.sleep(_INTERVAL_SECONDS)
            activity.heartbeat(*([self.detail] if self.detail else []))


@asynccontextmanager
async def heartbeating() -> AsyncIterator[Heartbeat]:
    """Heartbeat every second, so that another worker takes over soon after this one is killed."""
    heartbeat = Heartbeat()
    task = asyncio.create_task(heartbeat.repeat())
    try:
        yield heartbeat
    finally:
        task.cancel()
