"""Polls the branches that applications follow, to find pushes whose delivery failed."""

import asyncio
import shutil
from pathlib import Path
from typing import Final

import structlog

from aweigh.builds.source.history import History
from aweigh.builds.source.targets import Targets
from aweigh.contract import BranchHead
from aweigh.core import grammar
from aweigh.core.errors import AweighError
from aweigh.core.threads import in_thread
from aweigh.servers.api_client import Api

_AT_ONCE: Final = 4
#: For one repository, so that it does not delay the others.
_LONGEST_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)


class BranchPoller:
    """Fetches into `scratch`, which is emptied at the start."""

    def __init__(self, api: Api, targets: Targets, scratch: Path) -> None:
        self._api = api
        self._targets = targets
        self._scratch = scratch
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._failing: set[str] = set()

    async def run(self, every: int) -> None:
        """Poll at this interval, in seconds; 0 disables polling."""
        await in_thread(lambda: shutil.rmtree(self._scratch, ignore_errors=True))  # left by a crash
        while every:
            await self.poll()
            await asyncio.sleep(every)

    async def poll(self) -> None:
        """Deploy heads that were never delivered; the failure of one branch affects no other."""
        try:
            applications = await self._api.polled_applications()
        except AweighError as error:
            _log.warning("the branches to poll are unknown", error=str(error))
            return
        await asyncio.gather(*(self._poll_one(one) for one in applications))

    async def _poll_one(self, application: str) -> None:
        try:
            async with self._free, asyncio.timeout(_LONGEST_SECONDS):
                await self._compare(application)
            self._failing.discard(application)
        except (AweighError, OSError, ValueError) as error:  # a TimeoutError is an OSError
            if application not in self._failing:
                _log.warning("a branch cannot be polled", application=application,
                             error=str(error) or "it took too long")  # fmt: skip
            self._failing.add(application)

    async def _compare(self, application: str) -> None:
        branch = await self._api.branch(application)
        history = History(self._targets, self._scratch / grammar.path_part(application))
        head = await history.head_of(branch.source) if branch else None
        if branch is None or head is None or head in branch.known:
            return
        change = await history.change(branch.source, branch.before, head)
        found = BranchHead(
            repository=branch.source.repository, branch=branch.source.branch,
            sequence=branch.sequence, before=branch.before, commit=head,
            subject=change.subject or None, skips=change.skips, paths=change.paths,
            asked_at=branch.asked_at,
        )  # fmt: skip
        outcome = await self._api.report_head(application, found)
        _log.info("a branch has moved", application=application, commit=head,
                  deployment=outcome.deployment, why=outcome.why_ignored)  # fmt: skip
