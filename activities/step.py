"""A step on a server: its release, its reports, its heartbeat, its errors."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.errors import as_application_errors
from activities.heartbeat import Heartbeat, heartbeating
from activities.inputs import StepInput
from aweigh.contract import StepReport
from aweigh.core.errors import AweighError
from aweigh.deployments.deployment import StepName, StepState
from aweigh.deployments.step_errors import StepFailed
from aweigh.secrets.error_text import said_by
from aweigh.secrets.masking import prepare
from aweigh.servers.running_step import Attempt, RunningStep

if TYPE_CHECKING:
    from aweigh.deployments.release import Release
    from aweigh.routing.live_state import LiveState
    from aweigh.servers.api_client import Api
    from aweigh.servers.journal import Journal
    from aweigh.servers.locks import Locks

_RELEASES_KEPT: Final = 64


class Steps:
    """Opens steps; of a payload it trusts only the ids."""

    def __init__(self, api: Api, journal: Journal, locks: Locks, live: LiveState) -> None:
        self._api = api
        self._journal = journal
        self._locks = locks
        self._live = live
        # Only its image changes during a run, and only here: one request per run is enough.
        self._releases: OrderedDict[tuple[str, str], Release] = OrderedDict()

    @asynccontextmanager
    async def open(
        self, name: StepName, given: StepInput, *, last: bool = False
    ) -> AsyncIterator[RunningStep]:
        """Report the step from its start to its end; raise its errors as application errors.

        `last`: send all reports before the step ends.
        """
        secrets: list[str] = []
        async with self._guarded(name, secrets) as heartbeat:
            attempt = _attempt()
            release = await self._release(name, given, attempt)
            secrets += release.secrets
            await asyncio.to_thread(prepare, secrets)
            step = RunningStep(
                release, name, attempt, self._journal, self._api, heartbeat.show, secrets
            )
            step.report(StepState.RUNNING)
            try:
                yield step
            except (Exception, asyncio.CancelledError) as error:
                if not _continues_elsewhere(error):
                    _report_failure(step, error)
                await self._journal.flush(given.deployment_id)  # the deployment may end here
                raise
            finally:
                self._keep(step.release, attempt.run_id)
            step.report(StepState.SUCCEEDED)
            if last:
                await self._journal.flush(given.deployment_id)

    @asynccontextmanager
    async def open_exclusively(
        self, name: StepName, given: StepInput, *, last: bool = False
    ) -> AsyncIterator[RunningStep]:
        """Open a step that changes what runs: under the application's lock, past the fence.

        Raises:
            ApplicationError: `superseded`: a newer deployment has begun.
        """
        async with self.open(name, given, last=last) as step, self.locked(step.release):
            await self._live.check_fence(step.release)
            yield step

    @asynccontextmanager
    async def locked(self, release: Release) -> AsyncIterator[None]:
        """Hold the lock of the release's application."""
        async with self._locks.holding(release.application):
            yield

    @asynccontextmanager
    async def _guarded(self, name: StepName, secrets: list[str]) -> AsyncIterator[Heartbeat]:
        with self._api.secrets.holding(secrets):
            async with heartbeating() as heartbeat, as_application_errors(name, lambda: secrets):
                yield heartbeat

    async def _release(self, name: StepName, given: StepInput, attempt: Attempt) -> Release:
        """Request the release once per run; a reset run reopens a deployment that had failed.

        The API answers only the runs of the workflow that the deployment's lane started.

        Raises:
            StepFailed: the deployment has ended, or the run belongs to another workflow.
            Unavailable: the API is away.
        """
        run_id = attempt.run_id
        if known := self._releases.get((given.deployment_id, run_id)):
            return known
        try:
            release = await self._api.release(given.deployment_id, run_id)
        except StepFailed:
            begins = StepReport(state=StepState.RUNNING, run_id=run_id, attempt=attempt.number)
            await self._api.report(given.deployment_id, name, begins)
            release = await self._api.release(given.deployment_id, run_id)
        self._keep(release, run_id)
        return release

    def _keep(self, release: Release, run_id: str) -> None:
        self._releases[release.deployment, run_id] = release
        while len(self._releases) > _RELEASES_KEPT:
            self._releases.popitem(last=False)


def _attempt() -> Attempt:
    info = activity.info()
    return Attempt(
        run_id=info.workflow_run_id or "",
        number=info.attempt,
        is_cancelled=activity.is_cancelled,
        worker_stops=activity.is_worker_shutdown,
    )


def _continues_elsewhere(error: BaseException) -> bool:
    """Whether this worker is shutting down, so that the next one takes over the step."""
    return isinstance(error, asyncio.CancelledError) and activity.is_worker_shutdown()


def _report_failure(step: RunningStep, error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError):
        step.detail = "cancelled"
    else:
        step.detail = str(error) if isinstance(error, AweighError) else said_by(error, masks=True)
    step.log(f"{step.name}: {step.detail}")
    step.detail = f"{step.detail}\n{step.evidence}".strip()
    step.report(StepState.FAILED)
