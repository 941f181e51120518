"""Repairs live containers and the proxy as soon as the engine reports that one ended or is gone.

The reconciler would do it too, but minutes later. Containers that the engine restarts, or that a
deployment stops, are left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from aweigh.core.errors import BAD_DATA
from aweigh.core.threads import in_thread
from aweigh.engine.labels import (
    APPLICATION,
    ROLE,
)
from aweigh.engine.own_containers import OwnContainers
from aweigh.routing.proxy_guard import ProxyGuard
from aweigh.routing.route_files import RouteFile, RouteFiles
from aweigh.upkeep.live_containers import LiveContainers
from worker.engine_events import EngineEvent

#: A removed container reports its end first, and a stopping engine ends all of them.
_SETTLE_SECONDS: Final = 0.5
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_AT_ONCE: Final = 4
#: Longer than any repair that does not have to wait.
_PLACE_SECONDS: Final = 10.0
_PROXY: Final = "proxy"

_log = structlog.get_logger(__name__)


class EventRepair:
    def __init__(
        self,
        route_files: RouteFiles,
        containers: OwnContainers,
        live_containers: LiveContainers,
        proxy: ProxyGuard,
    ) -> None:
        self._route_files = route_files
        self._containers = containers
        self._live_containers = live_containers
        self._proxy = proxy
        #: Subjects to repair (ids of applications, or the proxy), with their last pause in seconds.
        self._due: dict[str, float] = {}
        self._all = False
        #: Subjects being repaired; the event is set if the engine names them again meanwhile.
        self._at_work: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Event()
        self._places = asyncio.Semaphore(_AT_ONCE)

    def take(self, event: EngineEvent | None) -> None:
        """Take one of the engine's events; None means that some may have been missed."""
        if event is None:
            self._all = True
        elif event.what == "start":
            return
        elif event.labels.get(ROLE) == _PROXY:
            self._due[_PROXY] = 0.0
        elif application := event.labels.get(APPLICATION):
            self._due[application] = 0.0
        self._changed.set()

    async def run(self) -> None:
        """Repair the subjects of events independently, repeating until each is done."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._changed.wait()
                await asyncio.sleep(_SETTLE_SECONDS)
                self._changed.clear()
                due, everything = self._due, self._all
                self._due, self._all = {}, False
                live = {
                    file.generation.application: file
                    for file in await in_thread(self._route_files.all)
                }
                if everything:
                    due = dict.fromkeys((*live, _PROXY), 0.0) | due
                for subject, paused in due.items():
                    if again := self._at_work.get(subject):
                        again.set()
                    else:
                        self._at_work[subject] = asyncio.Event()
                        work = self._repair_until_done(group, subject, paused, live.get(subject))
                        group.create_task(work)

    async def _repair_until_done(
        self, group: asyncio.TaskGroup, subject: str, paused: float, file: RouteFile | None
    ) -> None:
        async with self._places:
            trying = group.create_task(self._tried(subject, paused, file))
            # A long repair continues without its place, which others need.
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

    async def _tried(self, subject: str, paused: float, file: RouteFile | None) -> bool:
        try:
            return await self._repaired(subject, file)
        except TimeoutError:
            return False  # a step holds the application
        except BAD_DATA as error:
            if not paused:
                _log.warning("cannot be repaired", subject=subject, error=repr(error))
            return False

    async def _repaired(self, subject: str, file: RouteFile | None) -> bool:
        """Repair a subject; return whether nothing is left to do."""
        if subject == _PROXY:
            await self._proxy.ensure_if_needed()
            return True
        if file is None or await self._runs(file):
            return True
        return await self._live_containers.ensure_running(subject)

    async def _runs(self, file: RouteFile) -> bool:
        generation = file.generation
        found = await self._containers.replicas(generation.application, generation.sequence)
        running = [one for one in found if one.status in ("running", "restarting")]
        return len(running) >= len(generation.addresses)
