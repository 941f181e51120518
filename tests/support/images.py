"""Images of the sample application with the peculiarities real images have."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

import docker

from examples.demo.image import PYTHON, make_image

ASK_FOR_HEALTH = """
import socket
with socket.create_connection(("127.0.0.1", 8000), 1) as connection:
    connection.sendall(b"GET /healthz HTTP/1.0\\r\\n\\r\\n")
    raise SystemExit(b" 200 " not in connection.recv(64))
"""
HEALTHCHECK = json.dumps([PYTHON, "-I", "-S", "-c", ASK_FOR_HEALTH])


@dataclass(frozen=True, kw_only=True)
class Peculiarity:
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[int] = (8000,)
    instructions: Sequence[str] = ()


class Variant(Enum):
    PLAIN = Peculiarity()
    HEALTHCHECK = Peculiarity(
        instructions=(f"HEALTHCHECK --interval=200ms --timeout=1s --retries=2 CMD {HEALTHCHECK}",)
    )
    VOLUME = Peculiarity(instructions=("VOLUME /data",))
    TRAEFIK_LABELS = Peculiarity(
        labels={
            "traefik.enable": "true",
            "traefik.http.routers.stolen.rule": "PathPrefix(`/`)",
            "traefik.http.services.stolen.loadbalancer.server.port": "8000",
        }
    )
    NO_PORT = Peculiarity(ports=())
    TWO_PORTS = Peculiarity(ports=(8000, 9000))
    NO_COMMAND = Peculiarity(instructions=("ENTRYPOINT []", "CMD []"))


def make_variant(
    client: docker.DockerClient,
    variant: Variant,
    *,
    repository: str,
    tag: str,
    environment: Mapping[str, str] | None = None,
) -> str:
    peculiarity = variant.value
    return make_image(
        client,
        repository=repository,
        tag=tag,
        environment={"VERSION": tag, **(environment or {})},
        labels=peculiarity.labels,
        ports=peculiarity.ports,
        instructions=peculiarity.instructions,
    )


@contextmanager
def temporary_repository(client: docker.DockerClient) -> Iterator[str]:
    """A repository name that nobody else uses, whose images are gone afterwards."""
    repository = f"awl-{secrets.token_hex(4)}"
    try:
        yield repository
    finally:
        for image in client.images.list(name=repository):
            # Equal images are one image to the engine: it may have others' names as well.
            for tag in image.tags:
                if tag.startswith(f"{repository}:"):
                    client.images.remove(tag, force=True)
