"""Remove: every generation before the live one is stopped and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.inputs import StepInput, StepResult
from activities.step import Steps
from aweigh.deployments.deployment import StepName

if TYPE_CHECKING:
    from aweigh.engine.own_containers import OwnContainers


class RemoveActivity:
    def __init__(self, steps: Steps, containers: OwnContainers) -> None:
        self._steps = steps
        self._containers = containers

    @activity.defn(name="remove")
    async def remove(self, given: StepInput) -> StepResult:
        async with self._steps.open_exclusively(StepName.REMOVE, given, last=True) as step:
            release, containers = step.release, self._containers
            older = await containers.older_replicas(release)
            await containers.stop_and_remove(older)
            await containers.remove(
                await containers.release_commands(release.application, release.sequence)
            )
            step.detail = ", ".join(one.name for one in older) or "nothing older"
            step.log(f"removed: {step.detail}")
            return StepResult(step.detail)
