"""Fetch: the commit's files are here, or the image that was built from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.inputs import StepInput, StepResult
from activities.step import Steps
from aweigh.deployments.deployment import StepName

if TYPE_CHECKING:
    from aweigh.builds.source_builds import SourceBuilds


class FetchActivity:
    def __init__(self, steps: Steps, builds: SourceBuilds) -> None:
        self._steps = steps
        self._builds = builds

    @activity.defn(name="fetch")
    async def fetch(self, given: StepInput) -> StepResult:
        async with self._steps.open(StepName.FETCH, given) as step:
            await self._builds.fetch(step)
            return StepResult(step.detail)
