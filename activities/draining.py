"""Taking containers out of service: nothing is cut that could still be answered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from aweigh.containers.spec import RESTART
from aweigh.core.errors import ProxySilent
from aweigh.core.threads import in_thread

if TYPE_CHECKING:
    from aweigh.containers.engine import Container
    from aweigh.routing.route import Generation
    from aweigh.routing.route_files import Commit
    from aweigh.servers.server import Server

#: How a container is that nobody runs.
_STOPPED: Final = ("created", "exited", "dead")
_UNROUTE_SECONDS: Final = 10.0
#: Traefik's API and its routing change within milliseconds of each other.
_GUARD_SECONDS: Final = 0.1


async def take_back(server: Server, commit: Commit) -> Generation | None:
    """Undo a commit and wait until the proxy follows; what is live now."""
    before = await in_thread(lambda: server.commits.go_back(commit))
    await until_unrouted(server, commit.generation)
    return before


async def until_unrouted(server: Server, generation: Generation) -> None:
    """Nothing is stopped that the proxy still sends requests to, as far as it can be asked."""
    with contextlib.suppress(TimeoutError, ProxySilent):
        async with asyncio.timeout(_UNROUTE_SECONDS):
            while await server.traefik.knows(generation):
                await asyncio.sleep(0.05)


async def drained(server: Server, containers: Iterable[Container], longest: float) -> str:
    """Wait until nobody is connected to them, at most so many seconds; how it went."""
    addresses = tuple(
        address for one in containers if one.running and (address := server.address_of(one))
    )
    if not addresses:
        return "nothing to drain"
    began = time.monotonic()
    await asyncio.sleep(_GUARD_SECONDS)
    while (left := await server.traefik.connections_to(addresses)) != 0:
        if time.monotonic() - began > longest:
            return f"{left if left is not None else 'an unknown number of'} connections cut"
        await asyncio.sleep(_GUARD_SECONDS)
    return f"drained in {time.monotonic() - began:.1f} s"


def is_parked(one: Container) -> bool:
    """Whether it is stopped for good, as `park` leaves it."""
    return one.restart in ("", "no") and one.status in _STOPPED


async def park(server: Server, container: Container) -> None:
    """Stop a container for good, restart policy first: an engine that restarts must not run it."""
    await server.engine.set_restart(container.name, "no")
    await server.engine.stop(container.name)


async def unpark(server: Server, containers: Iterable[Container]) -> None:
    """Run parked containers again, as they were."""
    for container in containers:
        policy = container.labels.get(RESTART, "no")
        if container.restart != policy:  # also of one that was not stopped yet
            await server.engine.set_restart(container.name, policy)
        if not container.running:
            await server.engine.start(container.name)
