"""The pruning of a server's histories, on a schedule: old deployments are deleted."""

from dataclasses import dataclass
from typing import Final

from temporalio import workflow

from activities.inputs import PruneInput, PruneResult
from activities.prune import PruneActivities
from workflows import policies
from workflows.names import CONTROL_QUEUE

#: Calls in one run; what is left then is deleted by the next run.
_MOST_CALLS: Final = 20


@dataclass(frozen=True)
class PruneRequest:
    server: str


@workflow.defn(name="PruneWorkflow")
class PruneWorkflow:
    """Deletes the deployments that their applications' `keep_deployments` does not keep."""

    @workflow.run
    async def run(self, request: PruneRequest) -> PruneResult:
        deleted = 0
        skipped: set[str] = set()
        more = True
        for _ in range(_MOST_CALLS):
            pruned = await workflow.execute_activity_method(
                PruneActivities.prune,
                PruneInput(request.server),
                task_queue=CONTROL_QUEUE,
                summary=f"prune the histories of {request.server}",
                **policies.PRUNE.options(),
            )
            deleted += pruned.deleted
            skipped.update(pruned.skipped)
            more = pruned.more
            if not more:
                break
        return PruneResult(deleted, more, sorted(skipped))
