"""Looks at the branches that applications follow, for pushes whose delivery never came."""

import asyncio
import shutil
from pathlib import Path
from typing import Final

import structlog

from aweigh.builds.source.history import History
from aweigh.builds.source.targets import Targets
from aweigh.contract import Head
from aweigh.core import grammar
from aweigh.core.errors import AweighError
from aweigh.core.threads import in_thread
from aweigh.servers.api_client import Api

_AT_ONCE: Final = 4
#: For one repository: the others shall not wait for it.
_LONGEST_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)


class Lookout:
    """What it fetches lies below `scratch` meanwhile."""

    def __init__(self, api: Api, targets: Targets, scratch: Path) -> None:
        self._api = api
        self._targets = targets
        self._scratch = scratch
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._failing: set[str] = set()

    async def run(self, every: int) -> None:
        """Look again and again, so many seconds apart; 0: never."""
        await in_thread(lambda: shutil.rmtree(self._scratch, ignore_errors=True))  # of a crash
        while every:
            await self.look()
            await asyncio.sleep(every)

    async def look(self) -> None:
        """Have what was pushed deployed; what is in the way of one branch is in no other's way."""
        try:
            applications = await self._api.followers()
        except AweighError as error:
            _log.warning("the followed branches are not known", error=str(error))
            return
        await asyncio.gather(*(self._look_at(one) for one in applications))

    async def _look_at(self, application: str) -> None:
        try:
            async with self._free, asyncio.timeout(_LONGEST_SECONDS):
                await self._compare(application)
            self._failing.discard(application)
        except (AweighError, OSError, ValueError) as error:  # a TimeoutError is an OSError
            if application not in self._failing:
                _log.warning("a branch cannot be looked at", application=application,
                             error=str(error) or "it took too long")  # fmt: skip
            self._failing.add(application)

    async def _compare(self, application: str) -> None:
        branch = await self._api.branch(application)
        history = History(self._targets, self._scratch / grammar.path_part(application))
        head = await history.head_of(branch.source) if branch else None
        if branch is None or head is None or head in branch.known:
            return
        change = await history.change(branch.source, branch.before, head)
        seen = Head(
            repository=branch.source.repository, branch=branch.source.branch,
            sequence=branch.sequence, before=branch.before, commit=head,
            skips=change.skips, paths=change.paths, asked_at=branch.asked_at,
        )  # fmt: skip
        looked = await self._api.looked(application, seen)
        _log.info("a branch has moved", application=application, commit=head,
                  deployment=looked.deployment, why=looked.why_ignored)  # fmt: skip
