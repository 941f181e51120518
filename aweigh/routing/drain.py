"""Takes containers out of service without cutting requests that can still be answered."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import Final

from aweigh.core.errors import ProxySilent
from aweigh.core.threads import in_thread
from aweigh.engine.container import Container
from aweigh.engine.naming import Names
from aweigh.routing.route import Generation
from aweigh.routing.route_files import RouteFile, RouteFiles
from aweigh.routing.traefik import Traefik

_UNROUTE_SECONDS: Final = 10.0
#: Traefik's API and its routing change within milliseconds of each other.
_GUARD_SECONDS: Final = 0.1


class Drain:
    def __init__(self, route_files: RouteFiles, traefik: Traefik, names: Names) -> None:
        self._route_files = route_files
        self._traefik = traefik
        self._names = names

    async def take_back(self, file: RouteFile) -> Generation | None:
        """Undo a switch and wait until the proxy follows; return the generation now live."""
        before = await in_thread(lambda: self._route_files.go_back(file))
        await self.until_unrouted(file.generation)
        return before

    async def until_unrouted(self, generation: Generation) -> None:
        """Wait until the proxy sends no more requests to a generation, or does not answer."""
        with contextlib.suppress(TimeoutError, ProxySilent):
            async with asyncio.timeout(_UNROUTE_SECONDS):
                while await self._traefik.knows(generation):
                    await asyncio.sleep(0.05)

    async def until_idle(self, containers: Iterable[Container], longest: float) -> str:
        """Wait until nothing is connected to the containers, for at most `longest` seconds.

        Return a description of the result, for people.
        """
        addresses = self._addresses(one for one in containers if one.running)
        if not addresses:
            return "nothing to drain"
        began = time.monotonic()
        await asyncio.sleep(_GUARD_SECONDS)
        while (left := await self._traefik.connections_to(addresses)) != 0:
            if time.monotonic() - began > longest:
                return f"{left if left is not None else 'an unknown number of'} connections cut"
            await asyncio.sleep(_GUARD_SECONDS)
        return f"drained in {time.monotonic() - began:.1f} s"

    async def are_idle(self, containers: Iterable[Container]) -> bool:
        """Whether nothing is connected to the containers."""
        return await self._traefik.connections_to(self._addresses(containers)) == 0

    def _addresses(self, containers: Iterable[Container]) -> tuple[str, ...]:
        own_address = self._names.own_address
        return tuple(found for one in containers if (found := own_address(one.addresses)))
