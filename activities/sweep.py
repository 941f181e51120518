"""Sweep: images that no kept release needs are gone, and networks that no container is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.inputs import StepInput, StepResult
from activities.step import Steps
from aweigh.deployments.deployment import StepName

if TYPE_CHECKING:
    from aweigh.servers.api_client import Api
    from aweigh.upkeep.sweep import Sweep


class SweepActivity:
    def __init__(self, steps: Steps, api: Api, sweep: Sweep) -> None:
        self._steps = steps
        self._api = api
        self._sweep = sweep

    @activity.defn(name="sweep")
    async def sweep(self, given: StepInput) -> StepResult:
        async with self._steps.open(StepName.SWEEP, given) as step:
            inventory = await self._api.inventory(step.release.application)
            removed = [await self._sweep.application(known) for known in inventory.applications]
            await self._sweep.pulled_images()
            await self._sweep.build_images()
            await self._sweep.networks()
            step.detail = f"{sum(removed)} images removed"
            return StepResult(step.detail)
