"""Checks what requests through the proxy get: its configuration, and a probe."""

from aweigh.core.errors import ProxySilent
from aweigh.deployments.release import Release
from aweigh.engine.own_containers import OwnContainers
from aweigh.routing.route import DEAD, Generation
from aweigh.routing.route_files import RouteFile
from aweigh.routing.traefik import Traefik


class ProxyView:
    def __init__(self, traefik: Traefik, containers: OwnContainers) -> None:
        self._traefik = traefik
        self._containers = containers

    async def answers(self, release: Release, file: RouteFile) -> bool | None:
        """Whether the generation in a route file serves, through the proxy or, without domains, by
        running; None if the proxy does not answer."""
        generation = file.generation
        if release.settings.domains:
            wrong = await self.wrong_with(release, generation)
            return None if wrong is None else wrong == ""
        found = await self._containers.replicas(generation.application, generation.sequence)
        return bool(found) and all(one.running for one in found)

    async def wrong_with(self, release: Release, generation: Generation) -> str | None:
        """Return what keeps the proxy from serving a generation: "" for nothing, None if the proxy
        does not answer."""
        try:
            servers = await self._traefik.servers(generation)
            if servers is None:
                return "its router is not enabled"
            if servers != frozenset(generation.urls):
                return f"its servers are {sorted(servers)}"
            check, domain = release.settings.health_check, release.settings.domains[0]
            http = check is not None and check.type == "http" and check.port is None
            path = check.path if check and http else domain.path
            answer = await self._traefik.probe(release.slug, domain.host, path)
        except ProxySilent:
            return None
        if answer is None:
            return f"the application did not answer {path} in time"
        if answer.generation != generation.sequence:
            return f"generation {answer.generation} answered"
        good = check.accepts(answer.status) if check and http else answer.status not in DEAD
        return "" if good else f"the answer through it was {answer.status}"
