"""Applications that forge packets take nobody's traffic and pass for nobody."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from examples.demo.image import PYTHON, make_image
from tests.support import forger
from tests.support.checkpoint import gateway_of
from tests.support.images import temporary_repository
from tests.support.outside import ask, containers
from tests.support.programs import releases_with
from tests.support.stack import Stack

pytestmark = pytest.mark.docker

#: Whether packets of its own making, and device files, can be had.
TRIES = """
import os, socket
for what, attempt in (
    ("packets", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    ("raw ip", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)),
    ("device", lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0))),
    ("hardware address", lambda: open("/sys/class/net/eth0/address", "w").write("02:42:0:0:0:1")),
):
    try:
        attempt()
        print("may", what)
    except OSError as error:
        print("refused", what)
"""


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        for tag in ("victim", "thief"):
            make_image(
                engine, repository=name, tag=tag, environment={"NAME": tag},
                instructions=("USER 0",),
            )  # fmt: skip
        yield name


async def deployed(
    engine: docker.DockerClient, stack: Stack, repository: str, name: str, tag: str, **settings: Any
) -> Container:
    app = await stack.create(
        name, {"type": "image", "image": repository, "tag": tag},
        domains=[{"host": f"{name}.localhost", "tls": False}], **settings,
    )  # fmt: skip
    answer = await stack.deploy(app)
    assert answer.status_code == 200, answer.text
    [container] = containers(engine, stack.prefix, name)
    return container


@pytest.fixture(scope="module")
async def robbed(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> tuple[Container, Container]:
    """An application, and one that may forge packets because an admin let it."""
    victim, thief = await asyncio.gather(
        deployed(engine, stack, repository, "robbed", "victim"),
        deployed(engine, stack, repository, "robber", "thief", capabilities=["NET_RAW"]),
    )
    return victim, thief


def endpoint(container: Container) -> dict[str, Any]:
    [found] = container.attrs["NetworkSettings"]["Networks"].values()
    return dict(found)


async def said(container: Container, code: str, *arguments: str) -> str:
    command = [PYTHON, "-u", "-c", code, *arguments]
    ended = await asyncio.to_thread(container.exec_run, command)
    assert isinstance(ended.output, bytes)
    assert ended.exit_code == 0, ended.output.decode()
    return ended.output.decode()


async def test_an_application_may_forge_nothing_unless_it_asks(
    engine: docker.DockerClient, stack: Stack, repository: str, robbed: tuple[Container, Container]
) -> None:
    victim, thief = robbed
    release = await stack.create(
        "prober", {"type": "image", "image": repository, "tag": "thief"}, **releases_with(TRIES)
    )

    deployment = (await stack.deploy(release)).json()

    log = await stack.log(deployment["id"])
    assert (await said(victim, TRIES)).count("refused ") == 4
    assert (log.count("refused "), log.count("may ")) == (4, 0)
    assert (await said(thief, TRIES)).splitlines() == [
        "may packets", "may raw ip", "refused device", "refused hardware address",
    ]  # fmt: skip


async def test_forged_answers_and_hardware_addresses_take_no_traffic(
    stack: Stack, robbed: tuple[Container, Container]
) -> None:
    victim, thief = robbed
    target, own = endpoint(victim), endpoint(thief)
    attack = asyncio.create_task(
        said(thief, forger.ARP, target["IPAddress"], target["MacAddress"], own["Gateway"], "4")
    )

    answers = []
    while not attack.done():
        answers.append(await ask(stack, "robbed.localhost"))
        await asyncio.sleep(0.02)
    told = (await attack).split()

    assert int(told[told.index("sent") + 1]) > 100
    assert told[-2:] == ["caught", "0"]
    assert {one.status_code for one in answers} == {200}
    assert all(one.text.startswith("victim ") for one in answers)
    assert (await ask(stack, "robber.localhost")).text.startswith("thief ")


async def test_a_forged_source_address_reaches_nobody(
    engine: docker.DockerClient, stack: Stack, robbed: tuple[Container, Container]
) -> None:
    """Neither a service of this machine nor, past it, anybody else."""
    victim, thief = robbed
    here = gateway_of(engine, stack.prefix)
    own, forged = endpoint(thief)["IPAddress"], endpoint(victim)["IPAddress"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind((here, 0))
        service.setblocking(False)
        port = str(service.getsockname()[1])

        await said(thief, forger.SOURCE, here, port, forged, "192.0.2.7", here, "127.0.0.1", own)

        seen = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                seen.add(service.recvfrom(100))
    assert {(body.decode(), address[0]) for body, address in seen} == {(own, own)}
