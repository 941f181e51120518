"""What every step on a server has in common: its release, its report, its heartbeat, its errors."""

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
    #: What nobody may read: the release's, and what is fetched for it.
    secrets: list[str] = field(default_factory=list)
    detail: str = ""
    #: What the step's report shows beside the message of its failure; never in a history.
    evidence: str = ""
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def log(self, text: str) -> None:
        """Write lines to the deployment's log."""
        self.journal.write(self.release.deployment, text, self.secrets)

    def log_output(self, lines: list[str]) -> None:
        """Write what a program printed to the deployment's log, while that takes more."""
        self.journal.write_output(self.release.deployment, lines, self.secrets)

    def log_length(self) -> int:
        return self.journal.length(self.release.deployment)

    def lines_behind(self, length: int) -> list[str]:
        """The lines that were written to the log since it was so long."""
        return self.journal.lines_behind(self.release.deployment, length)

    def progress(self, detail: str) -> None:
        """Show progress in the API and in Temporal's UI."""
        self.detail = detail
        self.tell(StepState.RUNNING)

    def tell(self, state: StepState) -> None:
        """Report the step in the background: a step does not wait for the API."""
        report = self._report(state)
        if state is StepState.RUNNING:  # the evidence of a failure stays out of Temporal
            self.heartbeat.detail = report.detail
        self.journal.report(self.release.deployment, self.name, report)

    async def pin(self, image: Image) -> None:
        """Record the image the release is pinned to: other deployments build on it.

        Raises:
            Unavailable: the API is away.
        """
        report = self._report(StepState.RUNNING).model_copy(update={"image": image})
        await self.api.report(self.release.deployment, self.name, report)
        self.release = self.release.model_copy(update={"image": image})

    async def pin_commit(self, commit: str) -> None:
        """Record the commit that is built: whatever the branch says by the next attempt.

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
        """The detail as others may see it."""
        return printable(mask_words(self.detail, self.secrets)[:LONGEST_MESSAGE])


class Steps:
    """Opens steps: nothing in a payload is trusted but ids."""

    def __init__(self, api: Api, journal: Journal) -> None:
        self._api = api
        self._journal = journal
        # Nothing of a release changes but its image, here: one question per run is enough.
        self._releases: OrderedDict[tuple[str, str], Release] = OrderedDict()

    @asynccontextmanager
    async def open(
        self, name: StepName, step: StepInput, *, last: bool = False
    ) -> AsyncIterator[OpenStep]:
        """Report the step from its start to its end, and say failures in Temporal's words.

        `last`: before it ends, everything reported so far is sent.
        """
        secrets: list[str] = []
        run_id = activity.info().workflow_run_id or ""
        async with self._guarded(name, secrets) as heartbeat:
            release = await self._release(name, step, run_id)
            secrets += release.secrets
            await asyncio.to_thread(prepare, secrets)
            opened = OpenStep(release, name, self._journal, self._api, secrets, heartbeat=heartbeat)
            opened.tell(StepState.RUNNING)
            try:
                yield opened
            except (Exception, asyncio.CancelledError) as error:
                if not _goes_on_elsewhere(error):
                    _tell_failure(opened, error)
                await self._journal.flush(step.deployment_id)  # it may be the deployment's end
                raise
            finally:
                self._keep(opened.release, run_id)
            opened.tell(StepState.SUCCEEDED)
            if last:
                await self._journal.flush(step.deployment_id)

    @asynccontextmanager
    async def _guarded(self, name: StepName, secrets: list[str]) -> AsyncIterator[Heartbeat]:
        with self._api.secrets.holding(secrets):
            async with heartbeating() as heartbeat, as_application_errors(name, lambda: secrets):
                yield heartbeat

    async def _release(self, name: StepName, step: StepInput, run_id: str) -> Release:
        """The release, asked for once a run; a run that begins anew reopens what had ended.

        The API answers a run that is the deployment's own: one of a workflow that its lane started.

        Raises:
            StepFailed: the deployment has ended, or the run is not its own.
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


def _goes_on_elsewhere(error: BaseException) -> bool:
    """Whether nothing went wrong: this worker is being stopped, and the next one takes it up."""
    return isinstance(error, asyncio.CancelledError) and activity.is_worker_shutdown()


def _text(error: BaseException) -> str:
    return str(error) if isinstance(error, AweighError) else said_by(error, masks=True)


def _tell_failure(opened: OpenStep, error: BaseException) -> None:
    cancelled = isinstance(error, asyncio.CancelledError)
    opened.detail = "cancelled" if cancelled else _text(error)
    opened.log(f"{opened.name}: {opened.detail}")
    opened.detail = f"{opened.detail}\n{opened.evidence}".strip()
    opened.tell(StepState.FAILED)
