"""Four ways to put a new version in an old one's place."""

import asyncio
from typing import Any, Protocol

from benchmarks.kamal import KamalProxy
from benchmarks.plain_docker import APPLICATION, HEALTH, HOST, PlainContainer, PlainDocker
from benchmarks.script import until_healthy
from benchmarks.traefik import BareTraefik
from tests.support.stack import Stack


class SwapMethod(Protocol):
    """One application that is deployed in one way, version after version."""

    name: str
    port: int

    async def deploy(self, version: str) -> None:
        """Returns when nothing of the version before is left."""
        ...


class Aweigh:
    name = "Aweigh"

    def __init__(self, stack: Stack, plain: PlainDocker) -> None:
        self.port = stack.web_port
        self._stack = stack
        self._plain = plain
        self._application: dict[str, Any] = {}

    async def deploy(self, version: str) -> None:
        if not self._application:
            self._application = await create_application(self._stack, self._plain.repository)
        answer = await self._stack.deploy(self._application, version)
        assert answer.status_code == 200, answer.text


async def create_application(stack: Stack, image: str) -> dict[str, Any]:
    return await stack.create(
        APPLICATION,
        {"type": "image", "image": image, "tag": "v0"},
        domains=[{"host": HOST, "tls": False}],
        health_check={"type": "http", "path": HEALTH},
    )


class Replacing:
    """Stop the old container, run the new one on the same port of the host."""

    name = "stop, then run"

    def __init__(self, plain: PlainDocker, port: int) -> None:
        self.port = port
        self._plain = plain
        self._live: PlainContainer | None = None

    async def deploy(self, version: str) -> None:
        await asyncio.to_thread(self._deploy, self._plain.image(version))

    def _deploy(self, image: str) -> None:
        if self._live:
            self._plain.remove(self._live)
        self._live = self._plain.start("replacing", image, publish=self.port)


class Overwriting:
    """Start the new container, write Traefik's file over, stop the old one at once."""

    name = "overwrite Traefik's file"

    def __init__(self, plain: PlainDocker, traefik: BareTraefik) -> None:
        self.port = traefik.plan.web_port
        self._plain = plain
        self._traefik = traefik
        self._number = 0
        self._live: PlainContainer | None = None

    async def deploy(self, version: str) -> None:
        await asyncio.to_thread(self._deploy, self._plain.image(version))

    def _deploy(self, image: str) -> None:
        self._number += 1
        new = self._plain.start("overwriting", image)
        until_healthy(new)
        self._traefik.overwrite(self._number, new)
        if self._live:
            self._plain.remove(self._live)
        self._live = new


class Kamal:
    """A script that makes the same containers and leaves the swap to kamal-proxy."""

    name = "kamal-proxy"

    def __init__(self, plain: PlainDocker, proxy: KamalProxy) -> None:
        self.port = proxy.port
        self._plain = plain
        self._proxy = proxy
        self._live: PlainContainer | None = None

    async def deploy(self, version: str) -> None:
        await asyncio.to_thread(self._deploy, self._plain.image(version))

    def _deploy(self, image: str) -> None:
        new = self._plain.start("kamal", image)
        self._proxy.deploy(APPLICATION, new.address)
        if self._live:
            self._plain.remove(self._live)
        self._live = new
