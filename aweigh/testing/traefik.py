"""A proxy that routes as the route files say."""

from collections import Counter
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from aweigh.core.errors import ProxySilent
from aweigh.routing.route import Generation, read
from aweigh.routing.traefik import Traefik, TraefikAnswer


class FakeTraefik(Traefik):
    """Reads the route files of a directory at each question, where the real one watches them.

    It leaves out: domains and paths (every application answers every request), the health checks
    of the proxy, and everything on the wire.
    """

    def __init__(self, routes: Path) -> None:
        self._routes = routes
        self._stuck_at: dict[str, str] | None = None
        #: Whether the proxy does not answer.
        self.silent = False
        #: What the containers of an application answer, by its slug; else 200.
        self.statuses: dict[str, int] = {}
        #: Slugs of applications that take too long.
        self.slow: set[str] = set()
        #: Open connections by address; None: that cannot be told.
        self.connections: Counter[str] | None = Counter()
        #: How often connections were counted.
        self.counted = 0

    async def close(self) -> None:
        pass

    def stop_following(self) -> None:
        """Keep the routes as they are now, whatever the files say from here on."""
        self._stuck_at = self._texts()

    def follow_again(self) -> None:
        self._stuck_at = None

    def _texts(self) -> dict[str, str]:
        """The route files by slug."""
        if self._stuck_at is not None:
            return self._stuck_at
        return {path.stem: path.read_text() for path in self._routes.glob("*.yml")}

    def _services(self) -> dict[str, Any]:
        """Raises: ProxySilent."""
        if self.silent:
            raise ProxySilent
        found: dict[str, Any] = {}
        for text in self._texts().values():
            found |= yaml.safe_load(text)["http"]["services"]
        return found

    async def answers(self) -> bool:
        return not self.silent

    async def servers(self, generation: Generation) -> frozenset[str] | None:
        service = self._services().get(generation.service)
        if service is None:
            return None
        return frozenset(server["url"] for server in service["loadBalancer"]["servers"])

    async def knows(self, generation: Generation) -> bool:
        return generation.service in self._services()

    async def probe(self, slug: str, host: str, path: str) -> TraefikAnswer | None:
        if self.silent:
            raise ProxySilent
        if slug in self.slow:
            return None
        text = self._texts().get(slug)
        if text is None:
            return TraefikAnswer(HTTPStatus.NOT_FOUND, None)
        return TraefikAnswer(self.statuses.get(slug, HTTPStatus.OK), read(text).sequence)

    async def connections_to(self, addresses: tuple[str, ...]) -> int | None:
        self.counted += 1
        if not addresses:
            return 0
        if self.connections is None:
            return None
        return sum(self.connections[address] for address in set(addresses))
