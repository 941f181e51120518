"""The records a workflow makes, each in its own transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from aweigh.domain.deployment import Reason
from aweigh.domain.errors import NotFound
from aweigh.store import applications, lifecycle
from aweigh.store.database import Store

_log = structlog.get_logger(__name__)


class Records:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def started(self, deployment_id: str, run_id: str) -> bool:
        with _unless_unknown():
            async with self._store.write() as tx:
                return await lifecycle.started(tx, deployment_id, run_id)
        return False

    async def succeeded(self, deployment_id: str, run_id: str) -> None:
        with _unless_unknown():
            async with self._store.write() as tx:
                await lifecycle.succeeded(tx, deployment_id, run_id)

    async def failed(
        self,
        deployment_id: str,
        reason: Reason,
        message: str,
        *,
        run_id: str,
        superseded_by: str | None,
    ) -> None:
        with _unless_unknown():
            async with self._store.write() as tx:
                await lifecycle.failed(
                    tx, deployment_id, reason, message, run_id=run_id, superseded_by=superseded_by
                )

    async def removal(
        self, application_id: str, failure: str | None, *, sequence: int | None
    ) -> None:
        with _unless_unknown():
            async with self._store.write() as tx:
                if failure is None:
                    await applications.removed(tx, application_id, sequence)
                else:
                    await applications.removal_failed(tx, application_id, failure, sequence)


@contextmanager
def _unless_unknown() -> Iterator[None]:
    """A database restored from a backup knows nothing of what came after: nobody waits for that."""
    try:
        yield
    except NotFound as error:
        _log.warning("nothing to record", error=str(error))
