"""Records in the database: the control worker's activities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.inputs import (
    FailedRecord,
    MayProceed,
    Nothing,
    RemovalRecord,
    StartedRecord,
    SucceededRecord,
)

if TYPE_CHECKING:
    from aweigh.store.records import Records


class RecordActivities:
    """Each state change of a deployment, written down once however often it is asked."""

    def __init__(self, records: Records) -> None:
        self._records = records

    @activity.defn(name="record_started")
    async def started(self, record: StartedRecord) -> MayProceed:
        run_id = _run_id()
        return MayProceed(await self._records.started(record.deployment_id, run_id))

    @activity.defn(name="record_succeeded")
    async def succeeded(self, record: SucceededRecord) -> Nothing:
        await self._records.succeeded(record.deployment_id, _run_id())
        return Nothing()

    @activity.defn(name="record_failed")
    async def failed(self, record: FailedRecord) -> Nothing:
        await self._records.failed(
            record.deployment_id,
            record.reason,
            record.message,
            run_id=_run_id(),
            superseded_by=record.superseded_by,
        )
        return Nothing()

    @activity.defn(name="record_removal")
    async def removal(self, record: RemovalRecord) -> Nothing:
        await self._records.removal(record.application_id, record.failure, sequence=record.sequence)
        return Nothing()


def _run_id() -> str:
    return activity.info().workflow_run_id or ""
