"""Pruning: deployments that exceed what their applications' histories keep are deleted."""

from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from aweigh.core.errors import BAD_DATA, Unavailable
from aweigh.secrets.error_text import said_by
from aweigh.store import applications, deletion
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow

#: Deployments in one transaction: their logs may be long, and other writers wait.
_AT_ONCE: Final = 10
#: Deployments in one call, which is repeated while there are more.
_MOST: Final = 500
_GIVE_WAY_SECONDS: Final = 0.2

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Pruned:
    """How many deployments were deleted, and whether there may be more to delete."""

    deleted: int
    more: bool = False
    #: Applications whose history could not be read.
    skipped: tuple[str, ...] = ()


class Pruning:
    """`keep_releases`: of so many releases of an application a server keeps the images."""

    def __init__(self, store: Store, keep_releases: int) -> None:
        self._store = store
        self._keep_releases = keep_releases

    async def run(self, server: str, most: int = _MOST) -> Pruned:
        """Delete what exceeds the histories of a server's applications, the oldest first.

        An application that cannot be read hinders no other; removed ones are pruned too.

        Raises:
            Unavailable: the database is away.
        """
        async with self._store.read() as tx:
            query = select(ApplicationRow.id).where(ApplicationRow.server == server)
            ids = list(await tx.session.scalars(query.order_by(ApplicationRow.id)))
        deleted = 0
        skipped: list[str] = []
        for application in ids:
            try:
                deleted += await self._prune(application, most - deleted)
            except Unavailable:
                raise
            except (*BAD_DATA, SQLAlchemyError) as error:
                _log.error("the history of an application cannot be pruned",
                           application=application, error=said_by(error, masks=False))  # fmt: skip
                skipped.append(application)
            if deleted >= most:
                return Pruned(deleted, True, tuple(skipped))
        return Pruned(deleted, False, tuple(skipped))

    async def _prune(self, application: str, most: int) -> int:
        deleted = 0
        while deleted < most and (found := await self._expired(application)):
            batch = found[: min(_AT_ONCE, most - deleted)]
            await self._store.give_way(_GIVE_WAY_SECONDS)
            async with self._store.write() as tx:
                gone = await deletion.delete_all(tx, application, batch, self._keep_releases)
            if not gone:  # something needs them since; the next run looks again
                break
            deleted += gone
        return deleted

    async def _expired(self, application: str) -> list[str]:
        async with self._store.read() as tx:
            row = await tx.session.get_one(ApplicationRow, application)
            keep = applications.opened(tx, row).settings.keep_deployments
            return await deletion.expired(tx, row, keep, self._keep_releases)
