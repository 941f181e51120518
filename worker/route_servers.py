"""Takes crashed replicas out of their route's servers, and adds them again when they answer.

Only for live generations with several replicas whose gate is not `http`. With an `http` gate,
Traefik checks them itself (the route file's health check), and for a single replica there is no
substitute.
"""

import asyncio
import contextlib
from typing import Final

import structlog

from aweigh.core.errors import BAD_DATA
from aweigh.core.tasks import gather_all
from aweigh.core.threads import in_thread
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.container import Container
from aweigh.engine.naming import Names
from aweigh.engine.own_containers import OwnContainers
from aweigh.health.probe import Probe
from aweigh.routing.live_state import LiveState
from aweigh.routing.route import proxy_checks_health
from aweigh.routing.route_files import RouteFile
from aweigh.servers.api_client import Api
from aweigh.servers.locks import Locks
from worker.engine_events import EngineEvent

_RECHECK_SECONDS: Final = 1.0
#: How many routes are checked at once; one that is slow to check holds up no other.
_AT_ONCE: Final = 8
#: How long to wait for a lock that a step holds.
_PATIENCE_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class RouteServers:
    def __init__(
        self,
        api: Api,
        locks: Locks,
        live: LiveState,
        containers: OwnContainers,
        probe: Probe,
        names: Names,
    ) -> None:
        self._api = api
        self._locks = locks
        self._live = live
        self._containers = containers
        self._probe = probe
        self._names = names
        self._changed = asyncio.Event()
        #: Routes being checked; the event is set if the engine reports a change meanwhile.
        self._at_work: dict[str, asyncio.Event] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)

    def take(self, _: EngineEvent | None) -> None:
        """Take one of the engine's events."""
        self._changed.set()

    async def run(self) -> None:
        """Check the servers of all routes after every event, each route independently."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._changed.wait()
                self._changed.clear()
                for file in await self._live.route_files():
                    slug = file.generation.slug
                    if again := self._at_work.get(slug):
                        again.set()
                    else:
                        self._at_work[slug] = asyncio.Event()
                        group.create_task(self._check_until_complete(slug))

    async def _check_until_complete(self, slug: str) -> None:
        """Check a route's servers, repeatedly while a replica is out."""
        again, complete = self._at_work[slug], True
        while True:
            again.clear()
            async with self._places:
                complete = await self._is_complete(slug, warned=not complete)
            if complete and not again.is_set():
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RECHECK_SECONDS):
                    await again.wait()
        del self._at_work[slug]

    async def _is_complete(self, slug: str, *, warned: bool) -> bool:
        """Whether every replica is among the route's servers, or the route needs no attention."""
        try:
            file = await in_thread(lambda: self._live.route_file(slug))
            return file is None or await self._correct(file)
        except StepFailed:
            return True  # its deployment is neither in flight nor live
        except BAD_DATA as error:
            if not warned:
                _log.warning("the servers of a route cannot be checked", slug=slug,
                             error=str(error))  # fmt: skip
            return False

    async def _correct(self, file: RouteFile) -> bool:
        """Route to the replicas that answer; return whether nothing is left to do."""
        generation = file.generation
        if not self._live.is_routed(file) or len(generation.addresses) < 2:
            return True
        settings = (await self._api.release(generation.deployment)).settings
        if proxy_checks_health(generation, settings.health_check):
            return True
        async with self._locks.holding(generation.application, patience=_PATIENCE_SECONDS):
            if self._live.route_file(generation.slug) != file:
                return True
            return await self._rewrite(file, settings)

    async def _rewrite(self, file: RouteFile, settings: ApplicationSettings) -> bool:
        generation = file.generation
        running = await self._containers.replicas(generation.application, generation.sequence)
        answering = await gather_all(self._answering(one, generation.port or 0) for one in running)
        servers = tuple(one for one in generation.addresses if one in answering)
        if await self._live.route_to(file, settings, servers):
            _log.warning("the servers of a route changed", slug=generation.slug, servers=servers)
        return len(servers) == len(generation.addresses)

    async def _answering(self, one: Container, port: int) -> str | None:
        """Return the address of a replica that accepts requests, else None."""
        address = self._names.own_address(one.addresses)
        if not one.running or not address or one.health == "unhealthy":
            return None
        seen = await self._probe.tcp(address, port)
        return address if seen.healthy else None
