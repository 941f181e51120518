"""Health: every container of the new generation is healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.inputs import StepInput, StepResult
from activities.step import Steps
from aweigh.deployments.deployment import StepName

if TYPE_CHECKING:
    from aweigh.containers.replicas import Replicas
    from aweigh.health.gate import HealthGate
    from aweigh.images.release_images import ReleaseImages
    from aweigh.routing.live_state import LiveState


class HealthActivity:
    def __init__(
        self,
        steps: Steps,
        live: LiveState,
        images: ReleaseImages,
        replicas: Replicas,
        gate: HealthGate,
    ) -> None:
        self._steps = steps
        self._live = live
        self._images = images
        self._replicas = replicas
        self._gate = gate

    @activity.defn(name="health")
    async def health(self, given: StepInput) -> StepResult:
        async with self._steps.open(StepName.HEALTH, given) as step:
            release = step.release
            async with self._steps.locked(release):  # not while the gate waits, perhaps for an hour
                await self._live.check_fence(release)
                image = await self._images.present(release)
                containers = await self._replicas.started(release)
            step.detail = await self._gate.pass_all(step, image, containers)
            step.log(f"healthy: {step.detail}")
            return StepResult(step.detail)
