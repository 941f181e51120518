"""Taking away what a test's stack has left on the engine."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import docker
from docker.errors import APIError, NotFound

from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.containers.build_firewall import Firewall, interface_of
from aweigh.engine.naming import Names

#: A busy engine may still be at what a killed worker asked of it.
_PATIENCE_SECONDS = 120


def remove_leftovers(prefix: str) -> None:
    """Everything on the engine whose name begins with the prefix of a test's stack."""
    client = docker.APIClient(base_url="unix:///var/run/docker.sock", version="auto", timeout=300)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for found in (_containers, _networks, _volumes, _images):
        while refused := _removed(list(found(client, prefix))):
            if time.monotonic() > deadline:
                raise refused
            time.sleep(0.2)
    client.close()
    ApplicationFirewall(names=Names(prefix)).remove_now()
    Firewall(interface=interface_of(Names(prefix).build_network)).remove_now()


def _removed(removals: list[Callable[[], object]]) -> APIError | None:
    """Why the engine would not remove one of them, if so."""
    with ThreadPoolExecutor(4) as threads:
        return next(filter(None, threads.map(_attempted, removals)), None)


def _attempted(removal: Callable[[], object]) -> APIError | None:
    try:
        removal()
    except NotFound:
        return None
    except APIError as refused:
        return refused
    return None


def _containers(client: docker.APIClient, prefix: str) -> Iterator[Callable[[], object]]:
    for one in client.containers(all=True):
        if one["Names"][0].startswith((f"/{prefix}-", f"/{prefix}.")):
            yield partial(client.remove_container, one["Id"], force=True, v=True)


def _networks(client: docker.APIClient, prefix: str) -> Iterator[Callable[[], object]]:
    for one in client.networks():
        if one["Name"] == prefix or one["Name"].startswith((f"{prefix}-", f"{prefix}.")):
            yield partial(client.remove_network, one["Id"])


def _volumes(client: docker.APIClient, prefix: str) -> Iterator[Callable[[], object]]:
    for one in client.volumes()["Volumes"] or []:
        if one["Name"].startswith((f"{prefix}-", f"{prefix}.")):
            yield partial(client.remove_volume, one["Name"])


def _images(client: docker.APIClient, prefix: str) -> Iterator[Callable[[], object]]:
    kinds = tuple(f"{prefix}{kind}/" for kind in ("", "-pulled", "-proxy"))
    for one in client.images():
        for tag in one.get("RepoTags") or []:
            if tag.startswith(kinds):
                yield partial(client.remove_image, tag)
