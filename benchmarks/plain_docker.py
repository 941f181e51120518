"""The containers that the baselines run: plain docker-py, a network and names of their own."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import docker

from aweigh.engine.container_spec import LOG_OPTIONS
from examples.demo.image import make_image
from tests.support.images import temporary_repository
from tests.support.leftovers import remove_leftovers

APPLICATION = "bench"
HOST = "bench.localhost"
PORT = 8000
HEALTH = "/healthz"
GRACE_SECONDS = 10
SOCKET = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class PlainContainer:
    """A container that was started, and where it answers."""

    name: str
    address: str


@dataclass(frozen=True, kw_only=True)
class PlainDocker:
    """What the baselines share: the engine, the images of all versions, and a place to run them."""

    client: docker.APIClient
    prefix: str
    repository: str

    @property
    def network(self) -> str:
        return f"{self.prefix}-bare"

    def image(self, version: str) -> str:
        return f"{self.repository}:{version}"

    def make_version(self, version: str) -> None:
        """The sample application that dies at once when told to stop: nobody is let off lightly."""
        environment = {"NAME": APPLICATION, "VERSION": version, "ON_SIGTERM": "exit"}
        client = docker.DockerClient(base_url=SOCKET, version="auto")
        make_image(client, repository=self.repository, tag=version, environment=environment)
        client.close()

    def start(self, way: str, image: str, *, publish: int | None = None) -> PlainContainer:
        name = f"{self.prefix}-{way}-{secrets.token_hex(3)}"
        host = self.client.create_host_config(
            network_mode=self.network,
            restart_policy={"Name": "unless-stopped"},
            log_config=docker.types.LogConfig(type="json-file", config=dict(LOG_OPTIONS)),
            port_bindings={PORT: ("127.0.0.1", publish)} if publish else None,
        )
        self.client.create_container(
            image=image, name=name, host_config=host, labels={"bench": way},
            ports=[PORT] if publish else None,
        )  # fmt: skip
        self.client.start(name)
        networks = self.client.inspect_container(name)["NetworkSettings"]["Networks"]
        return PlainContainer(name, networks[self.network]["IPAddress"])

    def remove(self, container: PlainContainer) -> None:
        """Stopped first, as it deserves; then removed."""
        self.client.stop(container.name, timeout=GRACE_SECONDS)
        self.client.remove_container(container.name, force=True, v=True)


@contextmanager
def open_plain_docker() -> Iterator[PlainDocker]:
    """A network and images for plain containers, of which nothing is left afterwards."""
    client = docker.APIClient(base_url=SOCKET, version="auto")
    high = docker.DockerClient(base_url=SOCKET, version="auto")
    prefix = f"b{secrets.token_hex(3)}"
    try:
        with temporary_repository(high) as repository:
            plain = PlainDocker(client=client, prefix=prefix, repository=repository)
            client.create_network(plain.network)
            try:
                yield plain
            finally:
                remove_leftovers(prefix)
    finally:
        high.close()
        client.close()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
