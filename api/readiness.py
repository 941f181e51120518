"""Whether the database and Temporal answer, for any number of callers at once."""

import asyncio

from sqlalchemy import select

from api.relay import Relay
from aweigh.store.database import Store
from aweigh.store.tables import MetaRow


class Readiness:
    """Asked by anybody, as often as he likes: whoever asks at the same time shares one look."""

    def __init__(self, store: Store, relay: Relay) -> None:
        self._store = store
        self._relay = relay
        self._looking: asyncio.Task[bool] | None = None

    async def ask(self) -> bool:
        """Whether Temporal answers.

        Raises:
            Unavailable: the database does not.
        """
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._looking)

    async def _look(self) -> bool:
        async with self._store.read() as tx:
            await tx.session.scalar(select(MetaRow.value).limit(1))
        return await self._relay.reaches_temporal()
