"""Drain: nobody is connected to anything older any more, or the drain time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.inputs import StepInput, StepResult
from activities.step import Steps
from aweigh.deployments.deployment import StepName

if TYPE_CHECKING:
    from aweigh.engine.own_containers import OwnContainers
    from aweigh.routing.drain import Drain


class DrainActivity:
    def __init__(self, steps: Steps, containers: OwnContainers, drain: Drain) -> None:
        self._steps = steps
        self._containers = containers
        self._drain = drain

    @activity.defn(name="drain")
    async def drain(self, given: StepInput) -> StepResult:
        async with self._steps.open(StepName.DRAIN, given) as step:
            older = await self._containers.older_replicas(step.release)
            step.detail = await self._drain.until_idle(older, step.release.settings.drain)
            step.log(f"drain: {step.detail}")
            return StepResult(step.detail)
