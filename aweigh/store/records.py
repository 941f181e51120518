"""The records a workflow makes, each in its own transaction."""

from aweigh.domain.deployment import Reason
from aweigh.store import applications, lifecycle
from aweigh.store.database import Store


class Records:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def started(self, deployment_id: str, run_id: str) -> bool:
        async with self._store.write() as tx:
            return await lifecycle.started(tx, deployment_id, run_id)

    async def succeeded(self, deployment_id: str, run_id: str) -> None:
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
        async with self._store.write() as tx:
            await lifecycle.failed(
                tx, deployment_id, reason, message, run_id=run_id, superseded_by=superseded_by
            )

    async def removal(
        self, application_id: str, failure: str | None, *, sequence: int | None
    ) -> None:
        async with self._store.write() as tx:
            if failure is None:
                await applications.removed(tx, application_id, sequence)
            else:
                await applications.removal_failed(tx, application_id, failure, sequence)
