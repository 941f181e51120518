"""Preflight: what cannot work on this server is refused before anything is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.inputs import PreflightResult, StepInput
from activities.step import Steps
from aweigh.deployments.deployment import Reason, StepName
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import StepFailed

if TYPE_CHECKING:
    from aweigh.routing.live_state import LiveState
    from aweigh.servers.api_client import Api
    from aweigh.servers.running_step import RunningStep
    from aweigh.upkeep.readiness import ServerReadiness


class PreflightActivity:
    def __init__(self, steps: Steps, live: LiveState, readiness: ServerReadiness, api: Api) -> None:
        self._steps = steps
        self._live = live
        self._readiness = readiness
        self._api = api

    @activity.defn(name="preflight")
    async def preflight(self, given: StepInput) -> PreflightResult:
        async with self._steps.open(StepName.PREFLIGHT, given) as step:
            release = step.release
            async with self._steps.locked(release):
                await self._check_fence(step)
            warning = await self._readiness.ensure(release)
            step.detail = f"server {release.server} is ready"
            if warning:
                step.detail += f"; but {warning}"
            step.log(f"preflight of {release.slug} #{release.sequence}: {step.detail}")
            source = release.settings.source
            return PreflightResult(
                step.detail,
                builds_image=isinstance(source, GitSource),
                has_release_command=release.settings.release_command is not None,
                reports_commit_status=isinstance(source, GitSource)
                and source.credentials is not None,
            )

    async def _check_fence(self, step: RunningStep) -> None:
        """Raises: StepFailed (`superseded`)."""
        try:
            await self._live.check_fence(step.release)
        except StepFailed as error:
            # A database restored from a backup counts from where it was then.
            highest = self._live.highest_begun(step.release)
            again = await self._api.lift(step.release.deployment, highest)
            if again:
                message = f"{error.message} The counter was lifted; it is tried again as {again}."
                raise StepFailed(Reason.SUPERSEDED, message) from error
            raise
