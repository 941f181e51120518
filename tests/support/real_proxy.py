"""The proxy's real binary with the real settings, before applications that show what they got."""

import asyncio
import contextlib
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from aweigh.routing.proxy import ProxyPlan, arguments
from aweigh.routing.route import Generation, Routing, render
from aweigh.routing.traefik import Traefik
from tests.support.installation import settings_of
from tests.support.ports import free_ports

CLIENT, BALANCER = "127.0.0.1", "127.0.0.2"
_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Reply:
    """An answer, and the head of the request as the application got it."""

    status: int
    application: str
    head: str

    @property
    def target(self) -> str:
        return self.head.split(" ")[1] if self.head else ""

    @property
    def headers(self) -> dict[str, str]:
        pairs = (line.partition(": ") for line in self.head.split("\r\n")[1:])
        return {name: value for name, _, value in pairs if name}


@dataclass(frozen=True)
class Edge:
    """A Traefik that runs with a plan's arguments."""

    plan: ProxyPlan
    traefik: Traefik
    application_ports: dict[str, int]

    async def route(self, slug: str, **settings: Any) -> None:
        """Have an application of this name behind the proxy."""
        generation = Generation(
            instance="edge", application=slug, slug=slug, deployment=slug, sequence=1, image_id="",
            addresses=("127.0.0.1",), port=self.application_ports[slug],
        )  # fmt: skip
        routing = Routing(
            certificates=False,
            secure_port=self.plan.web_secure_port,
            trusted_proxies=self.plan.trusted_proxies,
        )
        text = render(generation, settings_of(**settings), routing)
        new = self.plan.routes.parent / f"{slug}.new"
        new.write_text(text)
        new.rename(self.plan.routes / f"{slug}.yml")
        async with asyncio.timeout(300):
            while not await self.traefik.knows(generation):
                await asyncio.sleep(0.02)

    async def connect(
        self, *, tls: bool = False, source: str = CLIENT
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self.plan.web_secure_port if tls else self.plan.web_port
        context = ssl._create_unverified_context() if tls else None
        return await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, local_addr=(source, 0), limit=2**20
        )

    async def ask(
        self,
        host: str,
        target: str = "/",
        *lines: str,
        before: bytes = b"",
        tls: bool = False,
        source: str = CLIENT,
    ) -> Reply:
        """Send one request, each byte of its head as given."""
        reader, writer = await self.connect(tls=tls, source=source)
        head = "\r\n".join([f"GET {target} HTTP/1.1", f"Host: {host}", "Connection: close", *lines])
        writer.write(before + head.encode() + _END)
        answer, _, body = (await reader.read()).partition(_END)
        writer.close()
        first, *fields = answer.decode().split("\r\n")
        named = dict(field.partition(": ")[::2] for field in fields)
        name = named.get("X-Application", "")
        return Reply(int(first.split(" ")[1]), name, body.decode() if name else "")


async def _application(
    name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer with the head of each request, once its body is there; `/stream/…` takes its time."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
        while True:
            head = await reader.readuntil(_END)
            lines = head.decode().lower().split("\r\n")
            sizes = [int(one.split(":")[1]) for one in lines if one.startswith("content-length:")]
            await reader.readexactly(sum(sizes))
            if "upgrade: websocket" in lines:
                await _echo(reader, writer)
            elif head.startswith(b"GET /stream/"):
                await _stream(head, writer)
            answer = f"HTTP/1.1 200 OK\r\nX-Application: {name}\r\nContent-Length: {len(head)}"
            writer.write(answer.encode() + _END + head)
            await writer.drain()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade")
    writer.write(_END)
    while data := await reader.read(1000):
        writer.write(data)
    raise ConnectionError


async def _stream(head: bytes, writer: asyncio.StreamWriter) -> None:
    """One event each half second, as many as the path says; then the connection ends."""
    count = int(head.split(b" ")[1].rpartition(b"/")[2])
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close" + _END)
    for number in range(count):
        writer.write(b"data: %d\n\n" % number)
        await writer.drain()
        await asyncio.sleep(0.5)
    raise ConnectionError


@asynccontextmanager
async def running_edge(
    directory: Path, applications: tuple[str, ...], **fields: Any
) -> AsyncIterator[Edge]:
    web, secure, api, probe = free_ports(4)
    routes = directory / "routes"
    routes.mkdir()
    plan = ProxyPlan(
        name="edge", instance="edge", image="", web_port=web, web_secure_port=secure,
        api_port=api, probe_port=probe, routes=routes, certificates=directory,
    )  # fmt: skip
    plan = replace(plan, **fields)
    watched = "--providers.file.directory="
    flags = [one for one in arguments(plan) if not one.startswith(watched)]
    binary = Path(sys.executable).parent / "traefik"
    traefik = Traefik(api_port=api, probe_port=probe)
    ports: dict[str, int] = {}
    async with contextlib.AsyncExitStack() as behind:
        for name in applications:
            server = await asyncio.start_server(
                partial(_application, name), "127.0.0.1", 0, limit=2**20
            )
            behind.callback(server.close)
            ports[name] = server.sockets[0].getsockname()[1]
        log = behind.enter_context((directory / "traefik.log").open("ab"))
        process = await asyncio.create_subprocess_exec(
            binary, *flags, f"{watched}{routes}", stdout=log, stderr=log
        )
        behind.push_async_callback(_ended, process)
        behind.push_async_callback(traefik.close)
        async with asyncio.timeout(300):
            while not await traefik.answers():
                assert process.returncode is None, (directory / "traefik.log").read_text()
                await asyncio.sleep(0.05)
        yield Edge(plan, traefik, ports)


async def _ended(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()
