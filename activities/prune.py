"""The pruning of histories: deployments that their applications keep no longer are deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.errors import as_application_errors
from activities.inputs import PruneInput, PruneResult

if TYPE_CHECKING:
    from aweigh.store.pruning import Pruning


class PruneActivities:
    def __init__(self, pruning: Pruning) -> None:
        self._pruning = pruning

    @activity.defn(name="prune_deployments")
    async def prune(self, given: PruneInput) -> PruneResult:
        """Delete some hundred deployments at most, so that each call is short."""
        async with as_application_errors("prune deployments"):
            pruned = await self._pruning.run(given.server)
            return PruneResult(pruned.deleted, pruned.more, list(pruned.skipped))
