"""What one application, or whoever may make one, tries to do to others and to the server."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import docker
import httpx2
import pytest

from examples.demo.image import PYTHON, make_image
from tests.support.checkpoint import gateway_of
from tests.support.images import temporary_repository
from tests.support.outside import ask, containers, until
from tests.support.ports import free_ports
from tests.support.programs import runs
from tests.support.stack import Stack

pytestmark = pytest.mark.docker

#: Claims of a route to somebody else's host, in the spellings that Traefik understands.
STOLEN = {
    "traefik.enable": "true",
    "Traefik.Enable": "true",
    "traefik.http.routers.stolen.rule": "Host(`victim.localhost`)",
    "traefik.http.routers.stolen.priority": "1000000",
    "TRAEFIK.HTTP.routers.shouted.rule": "Host(`victim.localhost`)",
    "traefik.http.services.stolen.loadbalancer.server.port": "8000",
}


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        for tag, labels in (("victim", {}), ("thief", STOLEN)):
            make_image(
                engine, repository=name, tag=tag, environment={"NAME": tag}, labels=labels,
                instructions=("USER 0",),
            )  # fmt: skip
        yield name


def source(repository: str, tag: str = "victim") -> dict[str, Any]:
    return {"type": "image", "image": repository, "tag": tag}


@pytest.fixture(scope="module")
async def victim(stack: Stack, repository: str) -> dict[str, Any]:
    [port] = free_ports(1)
    app = await stack.create(
        "victim", source(repository), ports=[{"host": port, "container": 8000}],
        domains=[{"host": "victim.localhost", "path": "/", "tls": False}],
    )  # fmt: skip
    answer = await stack.deploy(app)
    assert answer.status_code == 200, answer.text
    return app


@asynccontextmanager
async def traefik_that_reads_labels(stack: Stack, instance: str) -> AsyncIterator[str]:
    """The address of the API of a Traefik such as a server may have had before Aweigh came."""
    web, api = free_ports(2)
    binary = Path(sys.executable).parent / "traefik"
    process = await asyncio.create_subprocess_exec(
        binary, f"--entrypoints.web.address=127.0.0.1:{web}",
        f"--entrypoints.traefik.address=127.0.0.1:{api}", "--api.insecure=true",
        "--providers.docker=true", "--providers.docker.network=none",
        f"--providers.docker.constraints=Label(`aweigh.instance`, `{instance}`)",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{api}/api"
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("domains", [[], [{"host": "thief.localhost", "tls": False}]])
async def test_labels_of_an_image_take_no_route(
    engine: docker.DockerClient,
    stack: Stack,
    repository: str,
    victim: dict[str, Any],
    domains: list[dict[str, Any]],
) -> None:
    name = f"thief-{len(domains)}"
    app = await stack.create(name, source(repository, "thief"), domains=domains)
    answer = await stack.deploy(app)
    assert answer.status_code == 200, answer.text

    [container] = containers(engine, stack.prefix, name)
    claimed = {key: container.labels[key] for key in STOLEN}
    assert set(claimed.values()) <= {"", "false"}
    for _ in range(20):
        assert (await ask(stack, "victim.localhost")).text.startswith("victim ")
    for domain in domains:
        assert (await ask(stack, domain["host"])).text.startswith("thief ")
    async with traefik_that_reads_labels(stack, container.labels["aweigh.instance"]) as api:
        routers = await routers_of(api, "victim-0@docker")
    assert [one["name"] for one in routers if "victim.localhost" in one["rule"]] == [
        "victim-0@docker"
    ]


async def routers_of(api: str, expected: str) -> list[dict[str, Any]]:
    async with httpx2.AsyncClient(trust_env=False) as client:

        async def found() -> list[dict[str, Any]]:
            try:
                answer = await client.get(f"{api}/http/routers")
            except httpx2.HTTPError:
                return []
            routers = answer.json() if answer.is_success else []
            return list(routers) if expected in [one["name"] for one in routers] else []

        return await until(found)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", {"traefik.http.routers.stolen.rule": "Host(`victim.localhost`)"}),
        ("labels", {"Traefik.enable": "true"}),
        ("labels", {"aweigh.instance": "0123456789abcdef"}),
        ("domains", [{"host": "a.localhost`) || Host(`victim.localhost"}]),
        ("domains", [{"host": "a.localhost", "path": "/`) || PathPrefix(`/"}]),
        ("domains", [{"host": "a.localhost", "path": "/{{ env `PATH` }}"}]),
        ("domains", [{"host": "*.localhost"}]),
        ("networks", ["../host"]),
        ("networks", ["back\nnet"]),
        ("volumes", [{"source": "../../etc", "target": "/data"}]),
        ("volumes", [{"source": "/srv/../etc", "target": "/data"}]),
        ("volumes", [{"source": "data", "target": "data"}]),
        ("env", {"A=B": "value"}),
        ("env", {"A": "nul\0"}),
        ("source", {"type": "image", "image": "shop/UPPER"}),
        ("source", {"type": "image", "image": "-v/:/host"}),
        ("source", {"type": "image", "image": "shop", "tag": "v1 --privileged"}),
        ("health_check", {"type": "http", "path": "@evil.example.com/"}),
    ],
)
async def test_a_value_that_could_be_more_than_a_value_is_refused(
    stack: Stack, repository: str, field: str, value: Any
) -> None:
    settings = {"name": "clever", "source": source(repository), field: value}

    answer = await stack.call("POST", "/v1/applications", json=settings)

    assert answer.status_code == 422, answer.text
    assert field in answer.json()["detail"]
    assert (await stack.call("GET", "/v1/applications/clever")).status_code == 404


@pytest.mark.parametrize("host", ["VICTIM.localhost", "victim.localhost."])
@pytest.mark.usefixtures("victim")
async def test_another_spelling_of_a_host_takes_nobodys_traffic(
    stack: Stack, repository: str, host: str
) -> None:
    settings = {"name": "clever", "source": source(repository), "domains": [{"host": host}]}

    answer = await stack.call("POST", "/v1/applications", json=settings)

    assert answer.status_code == 409, answer.text
    assert "is routed to another application" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("my.app.v2", "my-app-v2"),
        ("../../etc/passwd", "etc-passwd"),
        ("A`B", "a-b"),
        ("9", "app-9"),
    ],
)
async def test_a_slug_has_no_dots_and_no_tricks(
    stack: Stack, repository: str, name: str, slug: str
) -> None:
    body = {"name": name, "source": source(repository)}

    answer = await stack.call("POST", "/v1/applications", json=body)

    assert (answer.status_code, answer.json().get("slug")) == (201, slug)


@pytest.mark.parametrize("claim", ["domain", "port"])
@pytest.mark.parametrize("way_in", ["create", "change"])
async def test_a_domain_or_port_of_another_application_is_refused(
    stack: Stack, repository: str, victim: dict[str, Any], claim: str, way_in: str
) -> None:
    wanted: Mapping[str, Any] = (
        {"domains": victim["domains"]} if claim == "domain" else {"ports": victim["ports"]}
    )
    name = f"claimant-{claim}-{way_in}"
    if way_in == "create":
        body = {"name": name, "source": source(repository), **wanted}
        answer = await stack.call("POST", "/v1/applications", json=body)
    else:
        app = await stack.create(name, source(repository))
        answer = await stack.call("PATCH", f"/v1/applications/{app['id']}", json=wanted)

    assert answer.status_code == 409, answer.text
    assert f"victim ({victim['id']})" in answer.json()["detail"]
    what = "victim.localhost/" if claim == "domain" else f"{victim['ports'][0]['host']}/tcp"
    assert what in answer.json()["detail"]


async def test_what_an_application_writes_cannot_forge_its_log(
    stack: Stack, repository: str
) -> None:
    said = 'print("\\x1b[2Jgone\\r2026-01-01T00:00:00.000Z forged\\x07"); raise SystemExit(1)'
    app = await stack.create("forger", source(repository), **runs(said))

    failed = (await stack.deploy(app)).json()["deployment"]

    log = await stack.log(failed["id"])
    assert "\\x1b[2Jgone" in log
    assert not set(log) & {"\x1b", "\r", "\x07"}
    assert all(line[:2] == "20" and line[23:25] == "Z " for line in log.splitlines())
    assert "\x1b" not in json.dumps(failed)


async def test_a_container_cannot_reach_what_listens_on_the_servers_loopback(
    engine: docker.DockerClient, stack: Stack, repository: str, victim: dict[str, Any]
) -> None:
    """Neither Temporal, nor the API, nor the proxy's own API and probe entry point."""
    [container] = containers(engine, stack.prefix, "victim")
    gateway = gateway_of(engine, stack.prefix)
    ports = [int(stack.environment[key]) for key in stack.environment if key.endswith("_PORT")
             and key.startswith("AWEIGH_") and "WEB" not in key]  # fmt: skip
    ports.append(int(stack.temporal_address.rpartition(":")[2]))
    code = "import socket, sys\nfor port in sys.argv[2:]:\n try:\n"
    code += "  socket.create_connection((sys.argv[1], int(port)), 2); print(port)\n"
    code += " except OSError: pass\n"

    reached = container.exec_run([PYTHON, "-c", code, gateway, *map(str, ports)])

    assert (reached.exit_code, reached.output) == (0, b"")
    assert len(ports) >= 4
