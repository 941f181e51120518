"""The commit status on GitHub: an activity of the control worker."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.inputs import CommitStatusInput, CommitStatusResult
from aweigh.core.errors import NotFound, RateLimited, Refused, Unavailable
from aweigh.deployments.deployment import Reason

if TYPE_CHECKING:
    from aweigh.notifications.commit_status_reporter import StatusReporter

_log = structlog.get_logger(__name__)


class CommitStatusActivities:
    def __init__(self, reporter: StatusReporter) -> None:
        self._reporter = reporter

    @activity.defn(name="report_commit_status")
    async def report(self, given: CommitStatusInput) -> CommitStatusResult:
        """Show the state of the deployment beside its commit, if the credentials allow it."""
        try:
            return CommitStatusResult(await self._reporter.report(given.deployment_id))
        except (NotFound, Refused) as error:
            _log.warning(
                "commit status not reported", deployment=given.deployment_id, why=str(error)
            )
            return CommitStatusResult(f"not reported: {error}")
        except Unavailable as error:
            pause = error.seconds if isinstance(error, RateLimited) else None
            raise ApplicationError(
                str(error), type=Reason.INTERNAL,
                next_retry_delay=timedelta(seconds=pause) if pause else None,
            ) from None  # fmt: skip
