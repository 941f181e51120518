"""Keeps crashed replicas out of the pool, and puts them back when they answer again.

Only for live generations of more than one replica whose gate is not `http`: with an `http` gate
Traefik asks by itself (the file's health check), and a single replica has nobody to stand in.
"""

import asyncio
import contextlib
from typing import Final

import structlog

from activities.replicas import replicas_of
from aweigh.containers.engine import Container
from aweigh.core.errors import BAD_DATA, StepFailed
from aweigh.core.threads import in_thread
from aweigh.deployments.application import ApplicationSettings
from aweigh.routing.route import proxy_checks_health, render
from aweigh.routing.route_files import Commit
from aweigh.servers.api_client import Api
from aweigh.servers.server import Server
from worker.engine_events import Happened

_RECHECK_SECONDS: Final = 1.0
#: How long an application that is at work is waited for: the others shall not wait for it.
_PATIENCE_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class Keeper:
    def __init__(self, server: Server, api: Api) -> None:
        self._server = server
        self._api = api
        self._changed = asyncio.Event()

    def told(self, _: Happened | None) -> None:
        """Take one of the engine's events."""
        self._changed.set()

    async def run(self) -> None:
        """Look after every event, and again while a replica is out."""
        incomplete: set[str] = set()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RECHECK_SECONDS if incomplete else None):
                    await self._changed.wait()
            self._changed.clear()
            incomplete = {
                commit.generation.slug
                for commit in await in_thread(self._server.commits.all)
                if not await self._is_complete(commit, told=commit.generation.slug in incomplete)
            }

    async def _is_complete(self, commit: Commit, *, told: bool) -> bool:
        """Whether every replica is in the pool, or nobody has to look after it."""
        try:
            return await self._keep(commit)
        except StepFailed:
            return True  # its deployment is neither in flight nor live
        except BAD_DATA as error:
            if not told:
                _log.warning("a pool cannot be checked", slug=commit.generation.slug,
                             error=str(error))  # fmt: skip
            return False

    async def _keep(self, commit: Commit) -> bool:
        generation = commit.generation
        routed = commit.path.parent == self._server.commits.routed
        if not routed or len(generation.addresses) < 2:
            return True
        settings = (await self._api.release(generation.deployment)).settings
        if proxy_checks_health(generation, settings.health_check):
            return True
        async with self._server.locks.holding(generation.application, patience=_PATIENCE_SECONDS):
            if self._server.commits.live(generation.slug) != commit:
                return True
            return await self._rewrite(commit, settings)

    async def _rewrite(self, commit: Commit, settings: ApplicationSettings) -> bool:
        generation = commit.generation
        running = await replicas_of(self._server, generation.application, generation.sequence)
        answering = [await self._answering(one, generation.port or 0) for one in running]
        servers = tuple(one for one in generation.addresses if one in answering)
        text = render(generation, settings, self._server.routing, servers or None)
        if text != commit.path.read_text():
            _log.warning("the pool changes", slug=generation.slug, servers=servers)
            await in_thread(lambda: self._server.commits.rewrite(commit, text))
        return len(servers) == len(generation.addresses)

    async def _answering(self, one: Container, port: int) -> str | None:
        """The address of a replica that takes requests."""
        address = self._server.address_of(one)
        if not one.running or not address or one.health == "unhealthy":
            return None
        seen = await self._server.probe.tcp(address, port)
        return address if seen.healthy else None
