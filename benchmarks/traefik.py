"""A Traefik of the baselines: the same binary and settings as Aweigh's, no container."""

import http.client
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aweigh.core.files import write_durably
from aweigh.deployments.application import ApplicationSettings
from aweigh.routing.proxy import ProxyPlan, arguments
from aweigh.routing.route import GENERATION_HEADER, PROBE_HEADER, Generation, Routing, render
from benchmarks.background import program, until_listening
from benchmarks.plain_docker import APPLICATION, HEALTH, HOST, PORT, PlainContainer
from tests.support.ports import free_ports

POLL_SECONDS = 0.02
SETTINGS = ApplicationSettings.model_validate(
    {
        "source": {"type": "image", "image": "bench", "tag": "v0"},
        "domains": [{"host": HOST, "tls": False}],
        "port": PORT,
        "health_check": {"type": "http", "path": HEALTH},
    }
)


@dataclass(frozen=True)
class BareTraefik:
    plan: ProxyPlan

    @property
    def route(self) -> Path:
        return self.plan.routes / f"{APPLICATION}.yml"

    def write(self, number: int, container: PlainContainer) -> None:
        """The same file that Aweigh would write, by the same durable rename."""
        write_durably(
            self.route, _text(number, container), self.plan.routes.parent / "new", mode=0o644
        )

    def overwrite(self, number: int, container: PlainContainer) -> None:
        """What a script does that has not thought about readers."""
        self.route.write_text(_text(number, container))

    def verify(self, number: int, container: PlainContainer) -> None:
        """Wait until its API knows the container and a probe through it is answered by it."""
        while not (self._knows(number, container) and self._probed(number)):
            time.sleep(POLL_SECONDS)

    def _knows(self, number: int, container: PlainContainer) -> bool:
        service = _generation(number, container).service
        router = _get(self.plan.api_port, f"/api/http/routers/{service}_probe@file")
        if router.status != 200 or json.loads(router.body).get("status") != "enabled":
            return False
        known = _get(self.plan.api_port, f"/api/http/services/{service}@file")
        if known.status != 200:
            return False
        servers = json.loads(known.body)["loadBalancer"]["servers"]
        return [server["url"] for server in servers] == [f"http://{container.address}:{PORT}"]

    def _probed(self, number: int) -> bool:
        headers = {"Host": HOST, PROBE_HEADER: APPLICATION}
        answer = _get(self.plan.probe_port, HEALTH, headers)
        return answer.status == 200 and answer.headers.get(GENERATION_HEADER) == str(number)


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Any
    body: bytes


def _get(port: int, path: str, headers: dict[str, str] | None = None) -> _Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return _Answer(answer.status, answer.headers, body)


def _generation(number: int, container: PlainContainer) -> Generation:
    return Generation(
        instance="bench", application=APPLICATION, slug=APPLICATION, deployment=str(number),
        sequence=number, image_id="", addresses=(container.address,), port=PORT,
    )  # fmt: skip


def _text(number: int, container: PlainContainer) -> str:
    return render(_generation(number, container), SETTINGS, Routing(certificates=False))


@asynccontextmanager
async def running_traefik(directory: Path) -> AsyncIterator[BareTraefik]:
    web, secure, api, probe = free_ports(4)
    routes = directory / "bare-traefik" / "routes"
    routes.mkdir(parents=True)
    plan = ProxyPlan(
        name="bare", instance="bench", image="", web_port=web, web_secure_port=secure,
        api_port=api, probe_port=probe, routes=routes, certificates=directory,
    )  # fmt: skip
    watched = "--providers.file.directory="
    flags = [flag for flag in arguments(plan) if not flag.startswith(watched)]
    binary = str(Path(sys.executable).parent / "traefik")
    log = directory / "bare-traefik.log"
    async with program([binary, *flags, f"{watched}{routes}"], log) as process:
        await until_listening(process, web, log)
        yield BareTraefik(plan)
