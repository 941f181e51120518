"""Has what is live run again as soon as the engine tells that it ended, or is gone.

The reconciler would find it too, minutes later. A container that its restart policy runs again, or
that a deployment stops, is left to them.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from activities.reconcile import ReconcileActivities
from activities.replicas import replicas_of
from aweigh.containers.spec import APPLICATION, ROLE
from aweigh.core.errors import BAD_DATA
from aweigh.core.threads import in_thread
from aweigh.routing.route_files import Commit
from aweigh.servers.server import Server
from worker.engine_events import Happened

#: A container that is removed ends first; and an engine that goes takes all of them with it.
_SETTLE_SECONDS: Final = 0.5
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_AT_ONCE: Final = 4
#: Longer than a look takes where nothing is to be waited for.
_PLACE_SECONDS: Final = 10.0
_PROXY: Final = "proxy"

_log = structlog.get_logger(__name__)


class Mender:
    def __init__(self, server: Server, reconciler: ReconcileActivities) -> None:
        self._server = server
        self._reconciler = reconciler
        #: The ids of applications (or the proxy) to look after, and how long each was left alone.
        self._due: dict[str, float] = {}
        self._all = False
        #: Those that are being looked after; set: they were told of again meanwhile.
        self._at_work: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Event()
        self._few = asyncio.Semaphore(_AT_ONCE)

    def told(self, happened: Happened | None) -> None:
        """Take one of the engine's events; None: any of them may have been missed."""
        if happened is None:
            self._all = True
        elif happened.what == "start":
            return
        elif happened.labels.get(ROLE) == _PROXY:
            self._due[_PROXY] = 0.0
        elif application := happened.labels.get(APPLICATION):
            self._due[application] = 0.0
        self._changed.set()

    async def run(self) -> None:
        """Look after what was told, each subject by itself, until nothing is left to do."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._changed.wait()
                await asyncio.sleep(_SETTLE_SECONDS)
                self._changed.clear()
                due, everything = self._due, self._all
                self._due, self._all = {}, False
                commits = {
                    commit.generation.application: commit
                    for commit in await in_thread(self._server.commits.all)
                }
                if everything:
                    due = dict.fromkeys((*commits, _PROXY), 0.0) | due
                for subject, paused in due.items():
                    if again := self._at_work.get(subject):
                        again.set()
                    else:
                        self._at_work[subject] = asyncio.Event()
                        work = self._look_after(group, subject, paused, commits.get(subject))
                        group.create_task(work)

    async def _look_after(
        self, group: asyncio.TaskGroup, subject: str, paused: float, commit: Commit | None
    ) -> None:
        async with self._few:
            trying = group.create_task(self._tried(subject, paused, commit))
            # One that takes long goes on without a place, which others need.
            await asyncio.wait([trying], timeout=_PLACE_SECONDS)
        done = await trying
        longer = 0.0 if done else min(max(paused * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        again = self._at_work[subject]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longer):
                await again.wait()
        del self._at_work[subject]
        if again.is_set() or not done:
            self._due.setdefault(subject, 0.0 if again.is_set() else longer)
            self._changed.set()

    async def _tried(self, subject: str, paused: float, commit: Commit | None) -> bool:
        try:
            return await self._mended(subject, commit)
        except TimeoutError:
            return False  # it is at work
        except BAD_DATA as error:
            if not paused:
                _log.warning("cannot be looked after", subject=subject, error=repr(error))
            return False

    async def _mended(self, subject: str, commit: Commit | None) -> bool:
        """Whether nothing is left to do."""
        if subject == _PROXY:
            await self._reconciler.ensure_proxy()
            return True
        if commit is None or await self._runs(commit):
            return True
        return await self._reconciler.look_after(subject)

    async def _runs(self, commit: Commit) -> bool:
        generation = commit.generation
        found = await replicas_of(self._server, generation.application, generation.sequence)
        running = [one for one in found if one.status in ("running", "restarting")]
        return len(running) >= len(generation.addresses)
