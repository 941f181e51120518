"""No network of ours has IPv6, and where one has it all the same, builds reach nothing by it."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from aweigh.containers.build_firewall import Firewall, interface_of
from aweigh.containers.networks import Networks
from aweigh.engine.engine import Engine
from aweigh.engine.naming import Names
from examples.demo.image import PYTHON, base_image
from tests.support.leftovers import remove_leftovers

pytestmark = pytest.mark.docker
SOCKET = "unix:///var/run/docker.sock"


class ClientOfModernEngine(docker.APIClient):
    """Of an engine that gives each network IPv6 unless the request says that it has none."""

    def _post(self, url: str, **arguments: Any) -> Any:
        if url.endswith("/networks/create"):
            request = json.loads(arguments["data"])
            if "EnableIPv6" not in request:
                request["EnableIPv6"] = True
                request.setdefault("IPAM", {"Driver": "default"})
                request["IPAM"]["Config"] = [
                    *(request["IPAM"].get("Config") or []),
                    {"Subnet": f"fd00:{secrets.token_hex(2)}::/64"},
                ]
            arguments["data"] = json.dumps(request)
        return super()._post(url, **arguments)  # type: ignore[misc]


class ModernEngine(Engine):
    def client(self) -> docker.APIClient:
        return ClientOfModernEngine(base_url=SOCKET, version="auto")


@pytest.fixture
def name() -> Iterator[str]:
    prefix = f"t{secrets.token_hex(3)}"
    yield prefix
    remove_leftovers(prefix)


async def test_networks_have_none_on_an_engine_that_gives_it_to_all(
    engine: docker.DockerClient, name: str
) -> None:
    networks = Networks(ModernEngine(SOCKET), "one", "machine")
    control = ModernEngine(SOCKET).client()
    control.create_network(f"{name}-control")

    await networks.subnet(Names(name), "")
    await networks.ensure_build_network(f"{name}.build")
    async with networks.held(Names(name), ["common"]):
        made = {one.name: one.attrs["EnableIPv6"] for one in engine.networks.list(names=[name])}

    assert made == {
        f"{name}-control": True,
        name: False,
        f"{name}.build": False,
        f"{name}-common": False,
    }


#: Says which of its arguments, addresses with an interface and a port, take a connection.
KNOCK = """
import socket, sys, time
def knock(host, port):
    deadline = time.monotonic() + 4
    while True:
        try:
            return socket.create_connection((host, int(port)), 1).close()
        except OSError:
            # A bridge's address is usable only a moment after the first container is in it.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
for place in sys.argv[1:]:
    try:
        knock(*place.rsplit("|", 1))
        print("reached", place)
    except OSError as error:
        print("refused", place)
"""


def link_local_of(interface: str) -> str:
    lines = map(str.split, Path("/proc/net/if_inet6").read_text().splitlines())
    [address] = [one[0] for one in lines if one[-1] == interface and one[0].startswith("fe80")]
    return str(ipaddress.IPv6Address(bytes.fromhex(address)))


@contextmanager
def listening() -> Iterator[int]:
    """A service of this machine, on each of its addresses."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, backlog=50) as server:
        # Closes what it accepts; ends with its socket.
        threading.Thread(target=_accept, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _accept(server: socket.socket) -> None:
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


async def test_builds_reach_nothing_by_it_where_their_network_has_it(
    engine: docker.DockerClient, name: str
) -> None:
    """As on an engine where it was made by hand, or by somebody else's default."""
    network = f"{name}.build"
    subnet = f"fd00:{secrets.token_hex(2)}::/64"
    engine.networks.create(
        network,
        enable_ipv6=True,
        labels={"aweigh.instance": "one", "aweigh.identity": "machine"},
        options={"com.docker.network.bridge.name": interface_of(network)},
        ipam=docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)]),
    )
    gateway = subnet.replace("::/64", "::1")
    link_local = link_local_of(interface_of(network))
    walls = Firewall(interface=interface_of(network))
    await Networks(Engine(SOCKET), "one", "machine").ensure_build_network(network)

    def knocks() -> list[str]:
        output = engine.containers.run(
            base_image(engine), ["-c", KNOCK, *places], entrypoint=[PYTHON], network=network,
            remove=True, name=f"{name}-knocks",
        )  # fmt: skip
        return [line.split()[0] for line in output.decode().splitlines()]

    with listening() as port:
        places = [f"{gateway}|{port}", f"{link_local}%eth0|{port}"]
        open_walls = await asyncio.to_thread(knocks)
        await walls.ensure()
        closed = await asyncio.to_thread(knocks)

    assert open_walls == ["reached", "reached"]
    assert closed == ["refused", "refused"]
