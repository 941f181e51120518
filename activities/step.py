"""A step on a server: its release, its reports, its heartbeat, its errors."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.errors import LONGEST_MESSAGE, as_application_errors
from activities.heartbeat import Heartbeat, heartbeating
from activities.inputs import StepInput
from aweigh.contract import StepReport
from aweigh.core.errors import AweighError, StepFailed
from aweigh.core.text import printable
from aweigh.deployments.deployment import StepName, StepState
from aweigh.secrets.error_text import said_by
from aweigh.secrets.masking import prepare
from aweigh.secrets.value import mask_words

if TYPE_CHECKING:
    from aweigh.deployments.release import Image, Release
    from aweigh.servers.api_client import Api
    from aweigh.servers.journal import Journal

_RELEASES_KEPT: Final = 64


@dataclass
class OpenStep:
    """A step while it runs."""

    release: Release
    name: StepName
    journal: Journal
    api: Api
    #: Masked wherever the step writes: secrets of the release, and those fetched for it.
    secrets: list[str] = field(default_factory=list)
    detail: str = ""
    #: Shown in the step's report beside the message of its failure; never in a history.
    evidence: str = ""
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def log(self, text: str) -> None:
        """Write lines to the deployment's log."""
        self.journal.write(self.release.deployment, text, self.secrets)

    def log_output(self, lines: list[str]) -> None:
        """Write the output of a program to the deployment's log, up to the log's limit."""
        self.journal.write_output(self.release.deployment, lines, self.secrets)

    def log_length(self) -> int:
        return self.journal.length(self.release.deployment)

    def lines_behind(self, length: int) -> list[str]:
        """Return the lines written since the log had this length."""
        return self.journal.lines_behind(self.release.deployment, length)

    def progress(self, detail: str) -> None:
        """Show progress in the API and in Temporal's UI."""
        self.detail = detail
        self.report(StepState.RUNNING)

    def report(self, state: StepState) -> None:
        """Report the step in the background: a step does not wait for the API."""
        report = self._report(state)
        if state is StepState.RUNNING:  # the evidence of a failure stays out of Temporal
            self.heartbeat.detail = report.detail
        self.journal.report(self.release.deployment, self.name, report)

    async def pin(self, image: Image) -> None:
        """Pin the release to the image, which later deployments reuse.

        Raises:
            Unavailable: the API is away.
        """
        report = self._report(StepState.RUNNING).model_copy(update={"image": image})
        await self.api.report(self.release.deployment, self.name, report)
        self.release = self.release.model_copy(update={"image": image})

    async def pin_commit(self, commit: str) -> None:
        """Pin the release to the commit, so that the next attempt builds the same.

        Raises:
            Unavailable: the API is away.
        """
        report = self._report(StepState.RUNNING).model_copy(update={"commit": commit})
        await self.api.report(self.release.deployment, self.name, report)
        self.release = self.release.model_copy(update={"commit": commit})

    def _report(self, state: StepState) -> StepReport:
        info = activity.info()
        return StepReport(
            state=state,
            run_id=info.workflow_run_id or "",
            attempt=info.attempt,
            started_at=self.started_at,
            finished_at=None if state is StepState.RUNNING else datetime.now(UTC),
            detail=self.shown,
        )

    @property
    def shown(self) -> str:
        """The detail, masked."""
        return printable(mask_words(self.detail, self.secrets)[:LONGEST_MESSAGE])


class Steps:
    """Opens steps; of a payload it trusts only the ids."""

    def __init__(self, api: Api, journal: Journal) -> None:
        self._api = api
        self._journal = journal
        # Only its image changes during a run, and only here: one request per run is enough.
        self._releases: OrderedDict[tuple[str, str], Release] = OrderedDict()

    @asynccontextmanager
    async def open(
        self, name: StepName, step: StepInput, *, last: bool = False
    ) -> AsyncIterator[OpenStep]:
        """Report the step from its start to its end; raise its errors as application errors.

        `last`: send all reports before the step ends.
        """
        secrets: list[str] = []
        run_id = activity.info().workflow_run_id or ""
        async with self._guarded(name, secrets) as heartbeat:
            release = await self._release(name, step, run_id)
            secrets += release.secrets
            await asyncio.to_thread(prepare, secrets)
            opened = OpenStep(release, name, self._journal, self._api, secrets, heartbeat=heartbeat)
            opened.report(StepState.RUNNING)
            try:
                yield opened
            except (Exception, asyncio.CancelledError) as error:
                if not _continues_elsewhere(error):
                    _report_failure(opened, error)
                await self._journal.flush(step.deployment_id)  # the deployment may end here
                raise
            finally:
                self._keep(opened.release, run_id)
            opened.report(StepState.SUCCEEDED)
            if last:
                await self._journal.flush(step.deployment_id)

    @asynccontextmanager
    async def _guarded(self, name: StepName, secrets: list[str]) -> AsyncIterator[Heartbeat]:
        with self._api.secrets.holding(secrets):
            async with heartbeating() as heartbeat, as_application_errors(name, lambda: secrets):
                yield heartbeat

    async def _release(self, name: StepName, step: StepInput, run_id: str) -> Release:
        """Request the release once per run; a reset run reopens a deployment that had failed.

        The API answers only the runs of the workflow that the deployment's lane started.

        Raises:
            StepFailed: the deployment has ended, or the run belongs to another workflow.
            Unavailable: the API is away.
        """
        if known := self._releases.get((step.deployment_id, run_id)):
            return known
        try:
            release = await self._api.release(step.deployment_id, run_id)
        except StepFailed:
            attempt = activity.info().attempt
            begins = StepReport(state=StepState.RUNNING, run_id=run_id, attempt=attempt)
            await self._api.report(step.deployment_id, name, begins)
            release = await self._api.release(step.deployment_id, run_id)
        self._keep(release, run_id)
        return release

    def _keep(self, release: Release, run_id: str) -> None:
        self._releases[release.deployment, run_id] = release
        while len(self._releases) > _RELEASES_KEPT:
            self._releases.popitem(last=False)


def _continues_elsewhere(error: BaseException) -> bool:
    """Whether this worker is shutting down, so that the next one takes over the step."""
    return isinstance(error, asyncio.CancelledError) and activity.is_worker_shutdown()


def _text(error: BaseException) -> str:
    return str(error) if isinstance(error, AweighError) else said_by(error, masks=True)


def _report_failure(opened: OpenStep, error: BaseException) -> None:
    cancelled = isinstance(error, asyncio.CancelledError)
    opened.detail = "cancelled" if cancelled else _text(error)
    opened.log(f"{opened.name}: {opened.detail}")
    opened.detail = f"{opened.detail}\n{opened.evidence}".strip()
    opened.report(StepState.FAILED)
