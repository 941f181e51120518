"""Build: the release's image is on the engine, made from its commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.inputs import StepInput, StepResult
from activities.step import Steps
from aweigh.deployments.deployment import StepName

if TYPE_CHECKING:
    from aweigh.builds.source_builds import SourceBuilds


class BuildActivity:
    def __init__(self, steps: Steps, builds: SourceBuilds) -> None:
        self._steps = steps
        self._builds = builds

    @activity.defn(name="build")
    async def build(self, given: StepInput) -> StepResult:
        async with self._steps.open(StepName.BUILD, given) as step:
            await self._builds.build(step)
            return StepResult(step.detail)
