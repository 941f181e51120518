"""Create: the new generation's containers run beside, or instead of, the live ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.inputs import StepInput, StepResult
from activities.step import Steps
from aweigh.deployments.deployment import StepName

if TYPE_CHECKING:
    from aweigh.containers.replicas import Replicas
    from aweigh.images.release_images import ReleaseImages


class CreateActivity:
    def __init__(self, steps: Steps, images: ReleaseImages, replicas: Replicas) -> None:
        self._steps = steps
        self._images = images
        self._replicas = replicas

    @activity.defn(name="create")
    async def create(self, given: StepInput) -> StepResult:
        async with self._steps.open_exclusively(StepName.CREATE, given) as step:
            image = await self._images.present(step.release)
            await self._replicas.ensure(step.release, image)
            step.detail = ", ".join(one.name for one in await self._replicas.of(step.release))
            step.log(f"running: {step.detail}")
            return StepResult(step.detail)
