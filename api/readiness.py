"""Readiness: whether the database and Temporal answer, for any number of concurrent callers."""

import asyncio

from api.relay import Relay
from aweigh.store import servers
from aweigh.store.database import Store


class Readiness:
    """Concurrent callers share one check, so that anybody may ask as often as they like."""

    def __init__(self, store: Store, relay: Relay) -> None:
        self._store = store
        self._relay = relay
        self._checking: asyncio.Task[bool] | None = None

    async def check(self) -> bool:
        """Return whether Temporal answers.

        Raises:
            Unavailable: the database does not answer.
        """
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check())
            self._checking.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._checking)

    async def _check(self) -> bool:
        async with self._store.read() as tx:
            await servers.instance(tx)
        return await self._relay.reaches_temporal()
