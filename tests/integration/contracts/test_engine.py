"""What an engine does, by the same assertions on the real one and on its fake."""

import itertools
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest

from aweigh.containers.free_subnets import engine_networks, free_subnet, host_networks
from aweigh.core.errors import (
    AddressTaken,
    NameTaken,
)
from aweigh.deployments.application import Port
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    StepFailed,
    StepUnavailable,
)
from aweigh.engine.container_spec import ContainerSpec
from aweigh.engine.engine import Engine
from aweigh.testing.engine import FakeEngine, Program
from examples.demo.image import PYTHON
from tests.support.images import Variant, make_variant, temporary_repository
from tests.support.leftovers import remove_leftovers
from tests.support.ports import free_ports

SOCKET = "unix:///var/run/docker.sock"
#: Programs of containers, for the real engine.
COMMANDS = {
    "runs": (PYTHON, "-c", "import signal; signal.pause()"),
    "ends": (PYTHON, "-c", "print('one'); print('two'); raise SystemExit(3)"),
    "is missing": ("/nowhere",),
}
#: And what a fake engine knows of them, by the names of their images.
PROGRAMS = {
    "ends": Program(exit_code=3, output="one\ntwo\n"),
    "is missing": Program(refusal="/nowhere: no such file or directory"),
}


@dataclass
class Subject:
    """An engine, and how to ask it for containers of ours."""

    engine: Engine
    prefix: str
    #: The first addresses of the network that our containers are in: `10.0.0.`.
    addresses: str
    image: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(10))

    @property
    def network(self) -> str:
        return f"{self.prefix}-net"

    def address(self) -> str:
        return f"{self.addresses}{next(self._numbers)}"

    def spec(self, program: str = "runs", **fields: Any) -> ContainerSpec:
        """A container that nothing else is called like."""
        given: dict[str, Any] = {
            "name": f"{self.prefix}-{next(self._numbers)}",
            "image": self.image or program,
            "labels": {"aweigh.instance": self.prefix},
            "entrypoint": COMMANDS[program],
            "network": self.network,
            "address": self.address(),
            "stop_grace": 0,
        }
        return ContainerSpec(**(given | fields))

    async def running(self, program: str = "runs", **fields: Any) -> ContainerSpec:
        spec = self.spec(program, **fields)
        await self.engine.create(spec)
        await self.engine.start(spec.name)
        return spec


@pytest.fixture(scope="module", params=["fake", pytest.param("real", marks=pytest.mark.docker)])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "fake":
        engine = FakeEngine()
        engine.programs = dict(PROGRAMS)
        yield Subject(engine, "fake", "10.0.0.")
    else:
        yield from _real(request.getfixturevalue("engine"))


def _real(client: docker.DockerClient) -> Iterator[Subject]:
    prefix = f"t{secrets.token_hex(3)}"
    with temporary_repository(client) as repository:
        image = make_variant(client, Variant.PLAIN, repository=repository, tag="v1")
        addresses = _make_network(client, f"{prefix}-net")
        yield Subject(Engine(SOCKET), prefix, addresses, image)
        remove_leftovers(prefix)


def _make_network(client: docker.DockerClient, name: str) -> str:
    """Make one in a free subnet, which others look for too; returns how addresses begin."""
    while True:
        network = free_subnet("", engine_networks(client.api) | host_networks())
        pool = docker.types.IPAMPool(subnet=f"{network[0]}/24")
        try:
            client.networks.create(name, ipam=docker.types.IPAMConfig(pool_configs=[pool]))
        except docker.errors.APIError as error:
            if "Pool overlaps" not in str(error):
                raise
        else:
            return str(network[0]).rpartition(".")[0] + "."


async def test_created_container_is_as_specified_and_does_not_run(subject: Subject) -> None:
    spec = subject.spec(restart="on-failure")

    await subject.engine.create(spec)

    found = await subject.engine.container(spec.name)
    assert found
    assert (found.name, found.image_id, found.status) == (spec.name, spec.image, "created")
    assert found.labels["aweigh.instance"] == subject.prefix
    assert found.restart == "on-failure"
    assert found.addresses == {subject.network: spec.address}
    assert not found.health


async def test_name_is_taken_once(subject: Subject) -> None:
    spec = await subject.running()

    with pytest.raises(NameTaken):
        await subject.engine.create(spec)


async def test_container_runs_until_it_is_stopped_and_is_gone_once_removed(
    subject: Subject,
) -> None:
    engine, spec = subject.engine, await subject.running()
    await engine.start(spec.name)
    running = await engine.container(spec.name)

    for _ in range(2):
        await engine.stop(spec.name)
    stopped = await engine.container(spec.name)
    await engine.start(spec.name)
    again = await engine.container(spec.name)
    for _ in range(2):
        await engine.remove(spec.name)

    assert running
    assert stopped
    assert again
    assert [running.running, stopped.status, again.running] == [True, "exited", True]
    assert running.id == again.id
    assert stopped.addresses == running.addresses
    assert await engine.container(spec.name) is None


async def test_program_that_ends_leaves_its_exit_code_and_its_output(subject: Subject) -> None:
    spec = await subject.running("ends")

    ended = await subject.engine.ended(spec.name)

    assert ended
    assert (ended.status, ended.exit_code, ended.out_of_memory) == ("exited", 3, False)
    assert await subject.engine.last_lines(spec.name) == "one\ntwo\n"
    assert await subject.engine.last_lines(spec.name, 1) == "two\n"


async def test_program_that_cannot_be_started_leaves_its_container(subject: Subject) -> None:
    with pytest.raises(StepFailed, match="no such file") as failure:
        await subject.running("is missing", name=f"{subject.prefix}-missing")

    assert failure.value.reason is Reason.START_FAILED
    found = await subject.engine.container(f"{subject.prefix}-missing")
    assert found
    assert found.status == "created"


async def test_address_of_a_running_container_is_refused_and_the_new_container_goes(
    subject: Subject,
) -> None:
    spec = await subject.running()
    second = subject.spec(address=spec.address)
    await subject.engine.create(second)

    with pytest.raises(AddressTaken):
        await subject.engine.start(second.name)

    assert await subject.engine.container(second.name) is None


async def test_stopped_container_keeps_its_address(subject: Subject) -> None:
    spec = await subject.running()
    await subject.engine.stop(spec.name)

    assert spec.address in await subject.engine.addresses_on(subject.network)
    await subject.engine.remove(spec.name)
    assert spec.address not in await subject.engine.addresses_on(subject.network)


async def test_host_port_has_one_publisher_at_a_time(subject: Subject) -> None:
    [host] = free_ports(1)
    ports = (Port(host=host, container=8000),)
    first = await subject.running(ports=ports)

    with pytest.raises(StepFailed, match="already allocated") as failure:
        await subject.running(ports=ports)
    publisher = await subject.engine.publisher_of(host, "tcp")
    await subject.engine.stop(first.name)

    assert failure.value.reason is Reason.START_FAILED
    assert publisher
    assert publisher.name == first.name
    assert await subject.engine.publisher_of(host, "tcp") is None


async def test_restart_policy_can_be_changed(subject: Subject) -> None:
    spec = await subject.running(restart="always")

    await subject.engine.set_restart(spec.name, "no")

    found = await subject.engine.container(spec.name)
    assert found
    assert found.restart == "no"


async def test_containers_are_found_by_all_of_their_labels_in_order(subject: Subject) -> None:
    names = [f"{subject.prefix}-label-{number}" for number in (2, 1)]
    one = {"aweigh.instance": subject.prefix, "aweigh.role": "labelled"}
    for name in names:
        await subject.engine.create(subject.spec(name=name, labels=one))
    await subject.engine.create(subject.spec(labels={"aweigh.role": "labelled"}))

    found = await subject.engine.containers(one)

    assert [one.name for one in found] == sorted(names)


async def test_container_that_is_not_there_is_no_error_where_it_should_go(
    subject: Subject,
) -> None:
    engine, name = subject.engine, f"{subject.prefix}-nobody"

    await engine.stop(name)
    await engine.remove(name)

    assert await engine.ended(name) is None
    assert await engine.last_lines(name) == ""
    for call in (engine.start(name), engine.set_restart(name, "no")):
        with pytest.raises(StepFailed) as failure:
            await call
        assert failure.value.reason is Reason.START_FAILED


async def test_engine_says_what_it_is(subject: Subject) -> None:
    assert re.fullmatch(r"1\.\d+", await subject.engine.api_version())
    assert re.match(r"\d+\.", await subject.engine.version())
    assert Path(await subject.engine.root()).is_absolute()


@pytest.mark.parametrize("kind", ["fake", "real"])
async def test_engine_that_is_down_is_unavailable(kind: str) -> None:
    engine = Engine(f"tcp://127.0.0.1:{free_ports(1)[0]}")
    if kind == "fake":
        engine = fake = FakeEngine()
        fake.down = True

    for call in (engine.container("one"), engine.containers({}), engine.stop("one")):
        with pytest.raises(StepUnavailable) as failure:
            await call
        assert failure.value.reason is Reason.ENGINE_UNAVAILABLE
