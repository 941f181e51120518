"""Telling GitHub how a deployment stands: a control activity, for which no deployment waits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.inputs import StatusInput, StatusTold
from aweigh.core.errors import NotFound, RateLimited, Refused, Unavailable
from aweigh.deployments.deployment import Reason

if TYPE_CHECKING:
    from aweigh.store.statuses import Statuses

_log = structlog.get_logger(__name__)


class CommitStatusActivities:
    def __init__(self, statuses: Statuses) -> None:
        self._statuses = statuses

    @activity.defn(name="tell_commit_status")
    async def tell(self, given: StatusInput) -> StatusTold:
        """Show beside the commit how its deployment stands, if the credentials allow it."""
        try:
            return StatusTold(await self._statuses.tell(given.deployment_id))
        except (NotFound, Refused) as error:
            _log.warning("GitHub is not told", deployment=given.deployment_id, why=str(error))
            return StatusTold(f"not told: {error}")
        except Unavailable as error:
            pause = error.seconds if isinstance(error, RateLimited) else None
            raise ApplicationError(
                str(error), type=Reason.INTERNAL,
                next_retry_delay=timedelta(seconds=pause) if pause else None,
            ) from None  # fmt: skip
