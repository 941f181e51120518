"""The control side of the reconciler: records compared with Temporal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.errors import as_application_errors, caller
from activities.inputs import ComparisonInput, ComparisonResult

if TYPE_CHECKING:
    from aweigh.temporal.record_comparison import RecordComparison


class ComparisonActivities:
    def __init__(self, comparison: RecordComparison) -> None:
        self._comparison = comparison

    @activity.defn(name="compare_records")
    async def compare(self, given: ComparisonInput) -> ComparisonResult:
        """End deployments whose workflow is gone; hand over again those that Temporal lost."""
        async with as_application_errors("compare records"):
            compared = await self._comparison.run(given.server, caller().run_id)
            return ComparisonResult(compared.changed, list(compared.skipped))
