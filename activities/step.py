"""What every step on a server has in common: its release, its report, its heartbeat, its errors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.inputs import StepInput
from aweigh.contract import StepReport
from aweigh.domain.deployment import Reason, StepName, StepState
from aweigh.domain.errors import AweighError, Conflict, StepError, StepFailed, Unavailable
from aweigh.domain.secret import mask

if TYPE_CHECKING:
    from aweigh.adapters.api import Api
    from aweigh.adapters.journal import Journal
    from aweigh.domain.release import Image, Release

_BEAT_SECONDS: Final = 1.0
#: Errors must fit a Temporal history.
_LONGEST_MESSAGE: Final = 2000


@dataclass
class OpenStep:
    """A step while it runs."""

    release: Release
    journal: Journal
    name: StepName
    detail: str = ""
    image: Image | None = None
    _secrets: list[str] = field(default_factory=list, repr=False)

    def log(self, text: str) -> None:
        """Write lines to the deployment's log."""
        self.journal.write(self.release.deployment, text, self._secrets)

    async def progress(self, detail: str) -> None:
        """Show how far it is."""
        self.detail = detail
        await self.report(StepState.RUNNING)

    async def report(self, state: StepState) -> None:
        info = activity.info()
        report = StepReport(
            state=state, run_id=info.workflow_run_id or "", attempt=info.attempt,
            detail=mask(self.detail, self._secrets)[:_LONGEST_MESSAGE], image=self.image,
        )  # fmt: skip
        if self.image:
            await self.journal.pin(self.release.deployment, self.name, report)
        else:
            await self.journal.report(self.release.deployment, self.name, report)


class Steps:
    """Opens steps: nothing in a payload is trusted but ids."""

    def __init__(self, api: Api, journal: Journal) -> None:
        self._api = api
        self._journal = journal

    @asynccontextmanager
    async def open(self, name: StepName, step: StepInput) -> AsyncIterator[OpenStep]:
        """Report the step from its start to its end, and say failures in Temporal's words."""
        secrets: list[str] = []
        async with beating(), in_temporals_words(name, secrets):
            await self._begin(name, step)
            release = await self._api.release(step.deployment_id)
            secrets += release.settings.secrets
            opened = OpenStep(release, self._journal, name, _secrets=secrets)
            try:
                yield opened
            except BaseException as error:
                await self._failed(opened, error)
                raise
            await opened.report(StepState.SUCCEEDED)

    async def _begin(self, name: StepName, step: StepInput) -> None:
        info = activity.info()
        report = StepReport(
            state=StepState.RUNNING, run_id=info.workflow_run_id or "", attempt=info.attempt
        )
        await self._journal.report(step.deployment_id, name, report)

    async def _failed(self, opened: OpenStep, error: BaseException) -> None:
        """Say so in the log and the step; that this may fail too must not hide the error."""
        if isinstance(error, GeneratorExit):
            return
        cancelled = isinstance(error, asyncio.CancelledError)
        opened.image = None
        opened.detail = "cancelled" if cancelled else str(error) or type(error).__name__
        opened.log(f"{opened.name}: {opened.detail}")
        with contextlib.suppress(AweighError):
            await opened.report(StepState.FAILED)


@asynccontextmanager
async def in_temporals_words(name: str, secrets: list[str]) -> AsyncIterator[None]:
    """Errors as Temporal shall see them: a reason, one masked sentence, no cause and no trace."""
    try:
        yield
    except StepError as error:
        raise _application_error(error, secrets) from None
    except Unavailable as error:
        unavailable = StepError(Reason.INTERNAL, f"{error}; it is tried again.")
        raise _application_error(unavailable, secrets) from None
    except Conflict as error:
        refused = StepFailed(Reason.SERVER_OFFLINE, f"This server worker may not act: {error}")
        raise _application_error(refused, secrets) from None
    except (AweighError, OSError, ValueError) as error:
        unexpected = StepError(Reason.INTERNAL, f"{name}: {error or type(error).__name__}")
        raise _application_error(unexpected, secrets) from None


def _application_error(error: StepError, secrets: list[str]) -> ApplicationError:
    message = mask(error.message, secrets)[:_LONGEST_MESSAGE]
    final = isinstance(error, StepFailed)
    return ApplicationError(message, type=error.reason, non_retryable=final)


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Heartbeat every second, so that a killed worker's step is taken up at once."""
    beat = asyncio.create_task(_beat())
    try:
        yield
    finally:
        beat.cancel()


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(_BEAT_SECONDS)
