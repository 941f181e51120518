"""Records of deployments and removals in the database: activities of the control worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.errors import as_application_errors, caller
from activities.inputs import (
    FailedRecord,
    FailedResult,
    RecordedStateInput,
    RemovalRecord,
    RemovalRecordResult,
    StandingResult,
    StartedRecord,
    StartedResult,
    SucceededRecord,
    SucceededResult,
)
from aweigh.deployments.deployment import RecordedState

if TYPE_CHECKING:
    from aweigh.temporal.workflow_records import WorkflowRecords


class RecordActivities:
    """Writes each change of state once, however often the activity is repeated."""

    def __init__(self, records: WorkflowRecords) -> None:
        self._records = records

    @activity.defn(name="record_started")
    async def started(self, record: StartedRecord) -> StartedResult:
        """Record the start, unless the deployment has ended already."""
        async with as_application_errors("record started"):
            standing = await self._records.started(record.deployment_id, caller())
            return StartedResult(standing is None, standing or RecordedState())

    @activity.defn(name="read_record")
    async def standing(self, asked: RecordedStateInput) -> StandingResult:
        """Return how the record stands; nothing is written."""
        async with as_application_errors("read record"):
            return StandingResult(await self._records.standing(asked.deployment_id, caller()))

    @activity.defn(name="record_succeeded")
    async def succeeded(self, record: SucceededRecord) -> SucceededResult:
        async with as_application_errors("record succeeded"):
            await self._records.succeeded(record.deployment_id, caller())
            return SucceededResult()

    @activity.defn(name="record_failed")
    async def failed(self, record: FailedRecord) -> FailedResult:
        """Record the failure, unless the deployment had succeeded; return how the record stands."""
        async with as_application_errors("record failed"):
            standing = await self._records.failed(
                record.deployment_id,
                record.reason,
                record.message,
                run=caller(),
                superseded_by=record.superseded_by,
            )
            return FailedResult(standing)

    @activity.defn(name="record_removal")
    async def removal(self, record: RemovalRecord) -> RemovalRecordResult:
        async with as_application_errors("record removal"):
            await self._records.removal(record.application_id, record.failure, caller())
            return RemovalRecordResult()
