"""Switch: the new generation is live and was seen to answer, the point of no return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.inputs import StepInput, StepResult
from activities.step import Steps
from aweigh.deployments.deployment import StepName

if TYPE_CHECKING:
    from aweigh.containers.replicas import Replicas
    from aweigh.images.release_images import ReleaseImages
    from aweigh.routing.switch import Switch


class SwitchActivity:
    def __init__(
        self, steps: Steps, images: ReleaseImages, replicas: Replicas, switch: Switch
    ) -> None:
        self._steps = steps
        self._images = images
        self._replicas = replicas
        self._switch = switch

    @activity.defn(name="switch")
    async def switch(self, given: StepInput) -> StepResult:
        async with self._steps.open_exclusively(StepName.SWITCH, given) as step:
            release = step.release
            image = await self._images.present(release)
            running = await self._replicas.running(release)
            generation = self._replicas.generation(release, image, running)
            await self._switch.switch_to(generation, step)
            step.log(f"live: generation {release.sequence}; {step.detail}")
            return StepResult(step.detail)
