"""Release: the release command has run in the new image, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.inputs import StepInput, StepResult
from activities.step import Steps
from aweigh.deployments.deployment import StepName

if TYPE_CHECKING:
    from aweigh.containers.release_command import ReleaseCommand
    from aweigh.images.release_images import ReleaseImages


class ReleaseActivity:
    def __init__(self, steps: Steps, images: ReleaseImages, command: ReleaseCommand) -> None:
        self._steps = steps
        self._images = images
        self._command = command

    @activity.defn(name="release")
    async def release(self, given: StepInput) -> StepResult:
        async with self._steps.open_exclusively(StepName.RELEASE, given) as step:
            await self._command.run(step, await self._images.present(step.release))
            return StepResult(step.detail)
