"""A checkpoint on the server at which a container waits, so that a test acts at that moment."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import docker
import psutil


@dataclass
class Checkpoint:
    """`wait` is Python code that continues once the checkpoint is released."""

    wait: str = ""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


def gateway_of(engine: docker.DockerClient, prefix: str) -> str:
    """An address of this machine that every container of an installation reaches."""
    return str(engine.networks.get(prefix).attrs["IPAM"]["Config"][0]["Gateway"])


def default_bridge_address(engine: docker.DockerClient) -> str:
    """The address of this machine on the engine's default bridge.

    Asked of the kernel: an engine that has just started leaves it out of the network's IPAM
    configuration.
    """
    options = engine.networks.get("bridge").attrs["Options"]
    addresses = psutil.net_if_addrs()[options["com.docker.network.bridge.name"]]
    [address] = [one.address for one in addresses if one.family == socket.AF_INET]
    return str(address)


@asynccontextmanager
async def checkpoint(engine: docker.DockerClient, prefix: str) -> AsyncIterator[Checkpoint]:
    """A checkpoint that containers of this installation reach."""
    made = Checkpoint()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.reached.set()
        await made.released.wait()
        writer.close()

    async with await asyncio.start_server(answer, gateway_of(engine, prefix)) as server:
        address = server.sockets[0].getsockname()
        made.wait = f"import socket; socket.create_connection({address}).recv(1)"
        try:
            yield made
        finally:
            made.released.set()
