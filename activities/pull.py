"""Pull: the release's image is on the engine, under our own tag."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.inputs import StepInput, StepResult
from activities.step import Steps
from aweigh.deployments.deployment import StepName
from aweigh.deployments.step_errors import (
    StepFailed,
    StepUnavailable,
)

if TYPE_CHECKING:
    from aweigh.images.source_images import SourceImages

#: An attempt that begins so long after the first one is the last: a registry that does not answer
#: at all costs each attempt its timeout.
_PATIENCE: Final = timedelta(seconds=30)


class PullActivity:
    def __init__(self, steps: Steps, images: SourceImages) -> None:
        self._steps = steps
        self._images = images

    @activity.defn(name="pull")
    async def pull(self, given: StepInput) -> StepResult:
        async with self._steps.open(StepName.PULL, given) as step:
            try:
                await self._images.ensure(step)
            except StepUnavailable as error:
                if _is_last_attempt():
                    raise StepFailed(error.reason, error.message) from error
                raise
            return StepResult(step.detail)


def _is_last_attempt() -> bool:
    info = activity.info()
    return info.current_attempt_scheduled_time - info.scheduled_time > _PATIENCE
