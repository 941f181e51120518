"""A stack, the registries its applications come from, and everything that can go wrong between."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import psutil

from tests.support.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from tests.support.outside import picture
from tests.support.registry import Registry, forget_images, running_registries
from tests.support.stack import Stack

#: The size of a layer that has to be downloaded.
LAYER = 2_000_000


@dataclass
class World:
    """A registry, open and behind a password, and proxies in front of it."""

    engine: docker.DockerClient
    stack: Stack
    open: Registry
    locked: Registry
    gateway: Registry
    untrusted: FaultyProxy
    faulty: Mapping[Fault, FaultyProxy]

    def push(self, repository: str, tag: str, **options: Any) -> str:
        return self.open.push(self.engine, repository, tag, **options)

    async def live(self, name: str, host: str = "", **settings: Any) -> dict[str, Any]:
        """A new application that is live at v1."""
        source = {"type": "image", "image": f"{host or self.open.host}/shop", "tag": "v1"}
        domains = [{"host": f"{name}.localhost", "tls": False}]
        application = await self.stack.create(name, source, domains=domains, **settings)
        answer = await self.stack.deploy(application)
        assert answer.status_code == 200, answer.text
        return application

    async def refused(
        self, application: Mapping[str, Any], asked: str | None = None, /, **source: Any
    ) -> dict[str, Any]:
        """The deployment of such a source, at the tag the hook is given: it must fail, and leave
        what is live untouched."""
        if source:
            change = {"source": source}
            answer = await self.stack.call(
                "PATCH", f"/v1/applications/{application['id']}", json=change
            )
            assert answer.is_success, answer.text
        before = await picture(self.engine, self.stack, application)
        answer = await self.stack.deploy(application, asked, wait=600)
        assert answer.status_code == 424, answer.text
        assert await picture(self.engine, self.stack, application) == before
        return dict(answer.json()["deployment"])


@contextmanager
def built_world(engine: docker.DockerClient, stack: Stack, directory: Path) -> Iterator[World]:
    """A world whose registry has `shop` at v1, v2 and, with a layer of its own, `big`."""
    # No address of 127.0.0.0/8: there the engine takes plain HTTP and any certificate.
    address = _address_of_bridge()
    with ExitStack() as opened:
        plain, locked = opened.enter_context(running_registries(directory / "storage"))
        gateway = Registry(directory / "storage", address=address)
        gateway.start()
        opened.callback(gateway.stop)
        certificate = _self_signed(directory, address)
        untrusted = opened.enter_context(
            faulty_proxy(plain, Fault.NONE, address=address, certificate=certificate)
        )
        faulty = {fault: opened.enter_context(faulty_proxy(plain, fault)) for fault in Fault}
        made = World(engine, stack, plain, locked, gateway, untrusted, faulty)
        servers: list[Registry | FaultyProxy] = [
            plain, locked, gateway, untrusted, *faulty.values(),
        ]  # fmt: skip
        hosts = [one.host for one in servers]
        opened.callback(forget_images, engine, *hosts)
        for tag in ("v1", "v2"):
            made.push("shop", tag)
        made.push("shop", "big", layer_bytes=LAYER)
        yield made


def _self_signed(directory: Path, address: str) -> Path:
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=registry", "-addext", f"subjectAltName=IP:{address}",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    both = directory / "both.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


def _address_of_bridge() -> str:
    """This machine's address on the engine's own bridge."""
    [address] = [
        one.address for one in psutil.net_if_addrs()["docker0"] if one.family == socket.AF_INET
    ]
    return str(address)


def assert_says(failed: Mapping[str, Any], reason: str, *words: str) -> None:
    """The deployment failed for this reason, and its message holds these words."""
    assert failed["reason"] == reason, failed["message"]
    assert [word for word in words if word not in failed["message"]] == [], failed["message"]
