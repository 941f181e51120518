"""A running step of a deployment: its release, log, report and secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from aweigh.contract import StepReport
from aweigh.core.text import printable
from aweigh.deployments.deployment import StepName, StepState
from aweigh.deployments.release import Image, Release
from aweigh.secrets.value import mask_words

if TYPE_CHECKING:
    from aweigh.servers.api_client import Api
    from aweigh.servers.journal import Journal

#: Must fit a Temporal history.
LONGEST_MESSAGE: Final = 2000


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """This server worker's attempt at the step."""

    run_id: str
    number: int
    #: Whether the step was cancelled; also in a thread that has the step's context (`in_thread`).
    is_cancelled: Callable[[], bool]
    #: Whether this worker is stopping; the next one continues the step.
    worker_stops: Callable[[], bool]


@dataclass
class RunningStep:
    release: Release
    name: StepName
    attempt: Attempt
    journal: Journal
    api: Api
    #: Shows the masked detail in Temporal's UI while the step runs.
    show: Callable[[str], None] = lambda detail: None
    #: Masked wherever the step writes: secrets of the release, and those fetched for it.
    secrets: list[str] = field(default_factory=list)
    #: The progress of the step, or how it ended, for people.
    detail: str = ""
    #: Shown in the step's report with its error message; never in a history.
    evidence: str = ""
    #: Of the commit that was fetched.
    commit_subject: str | None = None
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
        """Report how far the step is."""
        self.detail = detail
        self.report(StepState.RUNNING)

    def report(self, state: StepState) -> None:
        """Report the step in the background, without waiting for the API."""
        if state is StepState.RUNNING:  # the evidence of a failure stays out of Temporal
            self.show(self.masked_detail)
        self.journal.report(self.release.deployment, self.name, self._report(state))

    async def pin(self, image: Image) -> None:
        """Pin the release to the image, which later deployments reuse.

        Raises:
            Unavailable: the API does not answer.
        """
        report = self._report(StepState.RUNNING).model_copy(update={"image": image})
        await self.api.report(self.release.deployment, self.name, report)
        self.release = self.release.model_copy(update={"image": image})

    async def pin_commit(self, commit: str) -> None:
        """Pin the release to the commit, so that the next attempt builds the same.

        Raises:
            Unavailable: the API does not answer.
        """
        report = self._report(StepState.RUNNING).model_copy(update={"commit": commit})
        await self.api.report(self.release.deployment, self.name, report)
        self.release = self.release.model_copy(update={"commit": commit})

    def _report(self, state: StepState) -> StepReport:
        return StepReport(
            state=state,
            run_id=self.attempt.run_id,
            attempt=self.attempt.number,
            started_at=self.started_at,
            finished_at=None if state is StepState.RUNNING else datetime.now(UTC),
            detail=self.masked_detail,
            commit_subject=mask_words(self.commit_subject or "", self.secrets) or None,
        )

    @property
    def masked_detail(self) -> str:
        """The detail, masked."""
        return printable(mask_words(self.detail, self.secrets)[:LONGEST_MESSAGE])
