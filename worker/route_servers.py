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
from aweigh.core.threads import in_thread
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.engine import Container
from aweigh.engine.naming import Names
from aweigh.engine.own_containers import OwnContainers
from aweigh.health.probe import Probe
from aweigh.routing.live_state import LiveState
from aweigh.routing.route import proxy_checks_health, render
from aweigh.routing.route_files import RouteFile
from aweigh.servers.api_client import Api
from aweigh.servers.locks import Locks
from worker.engine_events import EngineEvent

_RECHECK_SECONDS: Final = 1.0
#: How long to wait for a lock that a step holds; other applications wait meanwhile.
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

    def take(self, _: EngineEvent | None) -> None:
        """Take one of the engine's events."""
        self._changed.set()

    async def run(self) -> None:
        """Check the servers after every event, and repeatedly while a replica is out."""
        incomplete: set[str] = set()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RECHECK_SECONDS if incomplete else None):
                    await self._changed.wait()
            self._changed.clear()
            incomplete = {
                file.generation.slug
                for file in await in_thread(self._live.files.all)
                if not await self._is_complete(file, warned=file.generation.slug in incomplete)
            }

    async def _is_complete(self, file: RouteFile, *, warned: bool) -> bool:
        """Whether every replica is among the route's servers, or the route needs no attention."""
        try:
            return await self._keep(file)
        except StepFailed:
            return True  # its deployment is neither in flight nor live
        except BAD_DATA as error:
            if not warned:
                _log.warning("the servers of a route cannot be checked", slug=file.generation.slug,
                             error=str(error))  # fmt: skip
            return False

    async def _keep(self, file: RouteFile) -> bool:
        generation = file.generation
        routed = file.path.parent == self._live.files.routed
        if not routed or len(generation.addresses) < 2:
            return True
        settings = (await self._api.release(generation.deployment)).settings
        if proxy_checks_health(generation, settings.health_check):
            return True
        async with self._locks.holding(generation.application, patience=_PATIENCE_SECONDS):
            if self._live.files.live(generation.slug) != file:
                return True
            return await self._rewrite(file, settings)

    async def _rewrite(self, file: RouteFile, settings: ApplicationSettings) -> bool:
        generation = file.generation
        running = await self._containers.replicas(generation.application, generation.sequence)
        answering = [await self._answering(one, generation.port or 0) for one in running]
        servers = tuple(one for one in generation.addresses if one in answering)
        text = render(generation, settings, self._live.routing, servers or None)
        if text != file.path.read_text():
            _log.warning("the servers of a route change", slug=generation.slug, servers=servers)
            await in_thread(lambda: self._live.files.rewrite(file, text))
        return len(servers) == len(generation.addresses)

    async def _answering(self, one: Container, port: int) -> str | None:
        """Return the address of a replica that accepts requests, else None."""
        address = self._names.own_address(one.addresses)
        if not one.running or not address or one.health == "unhealthy":
            return None
        seen = await self._probe.tcp(address, port)
        return address if seen.healthy else None
