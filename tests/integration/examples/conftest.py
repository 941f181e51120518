from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import docker
import pytest
from docker.models.containers import Container

from tests.support.images import temporary_repository

StartContainer = Callable[..., Container]


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as connected:
        yield connected


@pytest.fixture(scope="session")
def repository(client: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(client) as name:
        yield name


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def start_container(client: docker.DockerClient) -> Iterator[StartContainer]:
    """Start a container of an image; with a port, publish it there and wait until it listens."""
    started: list[Container] = []

    def start(image: str, *, port: int | None = None) -> Container:
        container = client.containers.run(
            image,
            name=f"awl-{secrets.token_hex(4)}",
            detach=True,
            ports={"8000/tcp": ("127.0.0.1", port)} if port else {},
        )
        started.append(container)
        if port:
            wait_until_listening(container)
        return container

    yield start
    for container in started:
        container.remove(force=True, v=True)


def wait_until_listening(container: Container) -> None:
    # The port is no sign: the engine's proxy accepts on it before the application does. And a log
    # that is followed leaks its socket, because docker-py closes the half of it only.
    while b"listens on port" not in container.logs():
        container.reload()
        assert container.status == "running", container.logs().decode()
