"""Events of deployments that never ran, many at once, in the database of an installation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

from aweigh.core.ids import new_id
from aweigh.core.settings import Settings
from aweigh.deployments.deployment import DeploymentState, EventKind, Trigger
from aweigh.deployments.release import Image
from aweigh.store import applications, events
from aweigh.store.database import Store
from aweigh.store.tables import DeploymentRow
from worker.store import open_store

#: What a deployment's events say, in order.
KINDS: Final = (EventKind.CREATED, EventKind.STARTED, EventKind.SUCCEEDED)
#: A multiple of their number.
_AT_ONCE: Final = 60


class Backlog:
    """Writes events by the store, as admissions and records do, but many in a transaction."""

    def __init__(self, store: Store, application: str) -> None:
        self._store = store
        self._application = application
        self._numbers = count(1)

    async def add(self, number: int, message: str | None = None) -> None:
        """Write so many events, the three of one deployment after each other."""
        for begin in range(0, number, _AT_ONCE):
            await self._add(min(_AT_ONCE, number - begin), message)

    async def _add(self, number: int, message: str | None) -> None:
        async with self._store.write() as tx:
            found = await applications.find(tx, self._application)
            for index in range(number):
                if index % len(KINDS) == 0:
                    row = self._row(found.row.id, found.row.server, message)
                kind = KINDS[index % len(KINDS)]
                events.add(tx, kind, row, Image(reference="registry.example.com/shop:v1"), None)

    def _row(self, application: str, server: str, message: str | None) -> DeploymentRow:
        now = datetime.now(UTC)
        return DeploymentRow(
            id=new_id("dep"), application_id=application, release_id=new_id("rel"), server=server,
            sequence=next(self._numbers), state=DeploymentState.SUCCEEDED, trigger=Trigger.HOOK,
            actor="hook", tag="v1", message=message, attempts=1, created_at=now, started_at=now,
            finished_at=now,
        )  # fmt: skip


@asynccontextmanager
async def backlog(data: Path, application: str) -> AsyncIterator[Backlog]:
    """Of an installation with this data directory."""
    store = await open_store(Settings(data=data))
    try:
        yield Backlog(store, application)
    finally:
        await store.close()
