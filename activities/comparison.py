"""The reconciler on the control side: what the database records, compared with Temporal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.errors import as_application_errors, caller
from activities.inputs import RecordsInput, RecordsReconciled

if TYPE_CHECKING:
    from aweigh.store.comparison import Comparison


class ComparisonActivities:
    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    @activity.defn(name="compare_records")
    async def compare(self, records: RecordsInput) -> RecordsReconciled:
        """End what nobody else can end any more; hand over again what was lost."""
        async with as_application_errors("compare records"):
            compared = await self._comparison.run(records.server, caller().run_id)
            return RecordsReconciled(compared.changed, list(compared.skipped))
