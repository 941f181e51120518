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
    WaitingRecord,
)
from aweigh.deployments.deployment import Standing

if TYPE_CHECKING:
    from aweigh.store.records import Records


class RecordActivities:
    """Each state change of a deployment, written down once however often it is asked."""

    def __init__(self, records: Records) -> None:
        self._records = records

    @activity.defn(name="record_started")
    async def started(self, record: StartedRecord) -> MayProceed:
        async with as_application_errors("record started"):
            standing = await self._records.started(record.deployment_id, caller())
            return MayProceed(standing is None, standing or Standing())

    @activity.defn(name="record_waiting")
    async def waiting(self, record: WaitingRecord) -> Standing:
        """Answer how the record stands; nothing is recorded."""
        async with as_application_errors("ask record"):
            return await self._records.standing(record.deployment_id, caller())

    @activity.defn(name="record_succeeded")
    async def succeeded(self, record: SucceededRecord) -> Nothing:
        async with as_application_errors("record succeeded"):
            await self._records.succeeded(record.deployment_id, caller())
        return Nothing()

    @activity.defn(name="record_failed")
    async def failed(self, record: FailedRecord) -> Standing:
        """Record the failure; what had succeeded before stays so, and the answer says it."""
        async with as_application_errors("record failed"):
            return await self._records.failed(
                record.deployment_id,
                record.reason,
                record.message,
                run=caller(),
                superseded_by=record.superseded_by,
            )

    @activity.defn(name="record_removal")
    async def removal(self, record: RemovalRecord) -> Nothing:
        async with as_application_errors("record removal"):
            await self._records.removal(record.application_id, record.failure, caller())
        return Nothing()
