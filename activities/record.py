"""Records in the database: the control worker's activities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.errors import as_application_errors, caller
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
        async with as_application_errors("record started"):
            return MayProceed(await self._records.started(record.deployment_id, caller()))

    @activity.defn(name="record_succeeded")
    async def succeeded(self, record: SucceededRecord) -> Nothing:
        async with as_application_errors("record succeeded"):
            await self._records.succeeded(record.deployment_id, caller())
        return Nothing()

    @activity.defn(name="record_failed")
    async def failed(self, record: FailedRecord) -> Nothing:
        async with as_application_errors("record failed"):
            await self._records.failed(
                record.deployment_id,
                record.reason,
                record.message,
                run=caller(),
                superseded_by=record.superseded_by,
            )
        return Nothing()

    @activity.defn(name="record_removal")
    async def removal(self, record: RemovalRecord) -> Nothing:
        async with as_application_errors("record removal"):
            await self._records.removal(record.application_id, record.failure, caller())
        return Nothing()
