"""A courier whose attempts end as a test says."""

import asyncio
from collections import defaultdict

from aweigh.notifications.courier import Courier


class FakeCourier(Courier):
    """It leaves out: the database, the senders, and the text of a notification."""

    def __init__(self) -> None:
        #: How the attempts of a delivery end, one after the other; the last for ever.
        self.ends: dict[str, list[str | Exception]] = {}
        #: Deliveries whose attempts wait.
        self.held: dict[str, asyncio.Event] = {}
        self.reached: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.attempts: list[str] = []
        self.was_cancelled: list[str] = []

    async def deliver(self, delivery_id: str) -> str:
        self.attempts.append(delivery_id)
        self.reached[delivery_id].set()
        if delivery_id in self.held:
            await self.held[delivery_id].wait()
        ends = self.ends.get(delivery_id, ["delivered: 204"])
        end = ends.pop(0) if len(ends) > 1 else ends[0]
        if isinstance(end, Exception):
            raise end
        return end

    async def cancelled(self, delivery_id: str) -> None:
        self.was_cancelled.append(delivery_id)
