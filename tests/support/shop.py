"""An application under load, of which every version is told apart and none answers too early."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from aweigh.routing.route import Generation, read
from examples.demo.image import make_image
from tests.support.load import Flow, Load, Report, Run
from tests.support.outside import named
from tests.support.stack import Stack

HTTP_GATE = {"type": "http", "path": "/healthz"}


def fast_flows(rate: float) -> tuple[Flow, ...]:
    """What is answered at once: kept-alive, new connections, and POSTs, which nobody retries."""
    return (
        Flow(name="get", rate=rate * 0.6),
        Flow(name="get-close", rate=rate * 0.2, keep_alive=False),
        Flow(name="post", rate=rate * 0.2, method="POST", body=b"x" * 64),
    )


def slow_flow(rate: float, seconds: float) -> Flow:
    return Flow(name=f"slow-{seconds:.0f}", rate=rate, path=f"/slow?seconds={seconds}")


#: Enough for the seconds in which a busy machine lets others run.
_CONNECTIONS = 800
#: A busy machine may be slow: what counts here is whether an answer comes at all.
_PATIENCE_SECONDS = 60.0


@dataclass
class Shop:
    """One application, and the versions of its image by the image's id."""

    stack: Stack
    name: str
    repository: str
    application: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    _versions: dict[str, str] = field(default_factory=dict)

    def make(self, engine: docker.DockerClient, version: str, **manners: str) -> None:
        """An image of the version, tagged with it, that behaves as its environment says."""
        made = make_image(
            engine, repository=self.repository, tag=version,
            environment={"NAME": self.name, "VERSION": version, **manners},
        )  # fmt: skip
        self._versions[made] = version

    async def open(self, version: str, **settings: Any) -> None:
        """Create it and make its first version live."""
        self.application = await self.stack.create(
            self.name,
            {"type": "image", "image": self.repository, "tag": version},
            **{"domains": [self.domain()], "health_check": HTTP_GATE} | settings,
        )
        await self.succeeds(version)

    def domain(self, path: str = "/") -> dict[str, Any]:
        return {"host": self.host, "path": path, "tls": False}

    @property
    def host(self) -> str:
        return f"{self.name}.localhost"

    async def change(self, settings: Mapping[str, Any]) -> None:
        """Settings of the next deployment."""
        path = f"/v1/applications/{self.application['id']}"
        answer = await self.stack.call("PATCH", path, json=dict(settings))
        assert answer.is_success, answer.text

    async def succeeds(self, version: str) -> dict[str, Any]:
        """Deploy a version that must become live."""
        deployment = (await self.stack.deploy(self.application, version)).json()
        assert deployment.get("state") == "succeeded", deployment
        self.version = version
        return dict(deployment)

    async def swap(self, run: Run, version: str) -> dict[str, Any]:
        """Replace the live version under load; afterwards the old one must not answer any more."""
        old = self.version
        deployment = await self.succeeds(version)
        run.allow(version)
        run.forbid(old)
        return deployment

    @property
    def route(self) -> Path:
        return self.stack.data / "server" / "routes" / "routed" / f"{self.name}.yml"

    @property
    def committed(self) -> Generation | None:
        """What the server itself says is live."""
        try:
            return read(self.route.read_text())
        except FileNotFoundError:
            return None

    def is_committed(self, version: str) -> bool:
        generation = self.committed
        return generation is not None and self._versions.get(generation.image_id) == version

    def load(self, flows: Iterable[Flow]) -> Load:
        """Answers must be this application's, and of a version that was committed before."""
        return Load(
            url=f"http://127.0.0.1:{self.stack.web_port}",
            host=self.host,
            name=self.name,
            flows=tuple(flows),
            versions=frozenset({self.version}),
            accept=self.is_committed,
            connections_per_flow=_CONNECTIONS,
            timeout=_PATIENCE_SECONDS,
        )


@asynccontextmanager
async def opened(shop: Shop, version: str, **settings: Any) -> AsyncIterator[Shop]:
    """A live application, that is removed again."""
    await shop.open(version, **settings)
    yield shop
    await shop.stack.call("DELETE", f"/v1/applications/{shop.application['id']}")
    await shop.stack.until_gone(shop.application)


def containers_of(engine: docker.DockerClient, stack: Stack, slug: str) -> list[str]:
    """The names of an application's containers without the stack's prefix, running or not."""
    found = named(engine, f"{stack.prefix}-{slug}-")
    return sorted(str(one.name).removeprefix(f"{stack.prefix}-") for one in found)


def unfinished_files(stack: Stack) -> list[str]:
    """Files below the server's data that exist only while something is being done."""
    server = stack.data / "server"
    found = [*(server / "routes" / "temporary").iterdir(), *(server / "routes" / "kept").iterdir()]
    return [str(one.relative_to(server)) for one in (*found, *server.rglob("*.new"))]


def lost(report: Report) -> str:
    """Everything that went wrong, for an assertion's message."""
    kinds = {kind: count for kind, count in report.kinds.items() if kind != "ok"}
    return f"{report.failed} of {report.sent} lost: {kinds}; first: {report.failures[:5]}"
