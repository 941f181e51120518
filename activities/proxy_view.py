"""What requests through the proxy meet: asked of the proxy itself, and tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from activities.replicas import replicas_of
from aweigh.core.errors import ProxySilent
from aweigh.routing.route import DEAD

if TYPE_CHECKING:
    from aweigh.deployments.release import Release
    from aweigh.routing.route import Generation
    from aweigh.routing.route_files import Commit
    from aweigh.servers.server import Server


async def answers(server: Server, release: Release, commit: Commit) -> bool | None:
    """Whether what is committed serves: through the proxy, or runs; None when it is silent."""
    generation = commit.generation
    if release.settings.domains:
        seen = await proxys_view(server, release, generation)
        return None if seen is None else seen == ""
    running = await replicas_of(server, generation.application, generation.sequence)
    return bool(running) and all(one.running for one in running)


async def proxys_view(server: Server, release: Release, generation: Generation) -> str | None:
    """What is wrong with it for this generation: empty for nothing, None when it is silent."""
    try:
        pool = await server.traefik.pool(generation)
        if pool is None:
            return "its router is not enabled"
        if pool != frozenset(generation.urls):
            return f"its pool is {sorted(pool)}"
        check, domain = release.settings.health_check, release.settings.domains[0]
        http = check is not None and check.type == "http" and check.port is None
        path = check.path if check and http else domain.path
        answer = await server.traefik.probe(release.slug, domain.host, path)
    except ProxySilent:
        return None
    if answer is None:
        return f"the application did not answer {path} in time"
    if answer.generation != generation.sequence:
        return f"generation {answer.generation} answered"
    good = check.accepts(answer.status) if check and http else answer.status not in DEAD
    return "" if good else f"the answer through it was {answer.status}"
