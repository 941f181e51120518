"""Queries the running proxy's API, and probes applications through it."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx2

from aweigh.core.errors import ProxySilent
from aweigh.core.tls import trusted
from aweigh.routing.connections import Connections
from aweigh.routing.route import GENERATION_HEADER, PROBE_HEADER, Generation

#: How many seconds an application may take to start its response to a probe.
_APPLICATION_SECONDS: Final = 30.0


@dataclass(frozen=True)
class TraefikAnswer:
    """A response that came through the proxy."""

    status: int
    generation: int | None


class Traefik:
    """Queries Traefik's API and its probe entry point, both on loopback."""

    def __init__(self, *, api_port: int, probe_port: int) -> None:
        self._api = f"http://127.0.0.1:{api_port}/api"
        self._probe = f"http://127.0.0.1:{probe_port}"
        self._client = httpx2.AsyncClient(
            verify=trusted(), timeout=5, trust_env=False, follow_redirects=False
        )
        self._connections = Connections()

    async def close(self) -> None:
        await self._client.aclose()

    async def answers(self) -> bool:
        try:
            return (await self._client.get(f"{self._api}/version")).is_success
        except httpx2.HTTPError:
            return False

    async def _ask(self, path: str) -> dict[str, Any] | None:
        """Return the answer of the API; None if the object does not exist. Raises: ProxySilent."""
        answer = await self._get(f"{self._api}/{path}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        try:
            return dict(answer.raise_for_status().json())
        except (httpx2.HTTPError, ValueError, TypeError) as error:
            raise ProxySilent from error  # an error response proves nothing

    async def _get(self, url: str) -> httpx2.Response:
        try:
            return await self._client.get(url)
        except httpx2.HTTPError as error:
            raise ProxySilent from error

    async def servers(self, generation: Generation) -> frozenset[str] | None:
        """Return the servers for this generation's requests; None if it is not routed.

        Raises:
            ProxySilent
        """
        router = await self._ask(f"http/routers/{generation.service}_probe@file")
        if router is None or router.get("status") != "enabled":
            return None
        service = await self._ask(f"http/services/{generation.service}@file")
        if service is None:
            return None
        balancer = service.get("loadBalancer") or {}
        return frozenset(server["url"] for server in balancer.get("servers") or [])

    async def knows(self, generation: Generation) -> bool:
        """Whether Traefik has the generation's service. Raises: ProxySilent."""
        return await self._ask(f"http/services/{generation.service}@file") is not None

    async def probe(self, slug: str, host: str, path: str) -> TraefikAnswer | None:
        """Send one request to an application through the proxy, without the user's own middlewares.

        Only the head of the response is read: the body may never end. Return None if the
        application takes too long, which is not the proxy's fault.

        Raises:
            ProxySilent
        """
        headers = {"Host": host, PROBE_HEADER: slug}
        request = self._client.stream(
            "GET", f"{self._probe}{path}", headers=headers, timeout=_APPLICATION_SECONDS
        )
        try:
            async with asyncio.timeout(_APPLICATION_SECONDS), request as answer:
                stamp = answer.headers.get(GENERATION_HEADER, "")
                return TraefikAnswer(answer.status_code, int(stamp) if stamp.isdigit() else None)
        except (httpx2.ReadTimeout, TimeoutError):
            return None
        except httpx2.HTTPError as error:
            raise ProxySilent from error

    async def connections_to(self, addresses: tuple[str, ...]) -> int | None:
        """Return the number of connections from the host's network, where the proxy is.

        None if it cannot be determined, which must not count as drained.
        """
        return await self._connections.to(addresses)
