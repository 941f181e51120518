"""An engine in memory."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from aweigh.core.errors import (
    AddressTaken,
    NameTaken,
)
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    StepFailed,
    StepUnavailable,
)
from aweigh.engine.connection import AbortableConnection
from aweigh.engine.container import Container
from aweigh.engine.container_spec import ContainerSpec
from aweigh.engine.engine import Engine

#: The exit code of a program that ends on SIGTERM (128 + 15).
_TERMINATED: Final = 143


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a container of an image does when it is started."""

    #: None: it runs until it is stopped.
    exit_code: int | None = None
    output: str = ""
    out_of_memory: bool = False
    #: What the image's HEALTHCHECK finds; empty: it has none.
    health: str = ""
    health_output: str = ""
    #: Why the engine cannot start it; empty: it can.
    refusal: str = ""


@dataclass
class _Made:
    """A container, what it was made with, and the ids of the networks that it is in."""

    spec: ContainerSpec
    now: Container
    networks: dict[str, str]
    output: str = ""


class FakeEngine(Engine):
    """Containers in memory, which do what the `programs` of their images say.

    Names, static addresses and host ports collide as on a real engine. It leaves out: images (any
    name will do), restart policies (a test restarts a container by `change`), dynamic addresses,
    volumes, files, and the client; what needs one of these raises NotImplementedError.
    """

    def __init__(self) -> None:
        super().__init__("fake://")
        #: By image; an image without one has a program that runs and writes nothing.
        self.programs: dict[str, Program] = {}
        #: The id of each network, by name; made with the first container in it.
        self.networks: dict[str, str] = {}
        #: Whether the engine does not answer.
        self.down = False
        self._made: dict[str, _Made] = {}
        self._numbers = itertools.count(1)

    def client(self) -> NoReturn:
        raise NotImplementedError("FakeEngine has no client")

    def line(self, timeout: float | None = None) -> AbortableConnection:
        raise NotImplementedError("FakeEngine has no connection")

    def change(self, name: str, **fields: Any) -> None:
        """Have a container look otherwise, as after something that nobody asked for."""
        made = self._made[name]
        made.now = replace(made.now, **fields)

    def exit(self, name: str, code: int, **fields: Any) -> None:
        """End a container's program."""
        ended: dict[str, Any] = {"status": "exited", "exit_code": code, "finished_at": _now()}
        self.change(name, **(ended | fields))

    def disconnect(self, name: str, network: str) -> None:
        """Take a container out of a network."""
        made = self._made[name]
        made.networks.pop(network, None)
        kept = {one: address for one, address in made.now.addresses.items() if one != network}
        self.change(name, addresses=kept)

    def make_network(self, name: str) -> None:
        """Make a network, unless there is one of that name."""
        self.networks.setdefault(name, f"network-{next(self._numbers)}")

    def is_in(self, name: str, network: str) -> bool:
        """Whether a container is in the network that has this name now."""
        joined = self._made[name].networks.get(network)
        return joined is not None and joined == self.networks.get(network)

    def _answer(self) -> None:
        if self.down:
            raise StepUnavailable(
                Reason.ENGINE_UNAVAILABLE, "the Docker engine does not answer: it is down"
            )

    async def version(self) -> str:
        self._answer()
        return "28.0.0"

    async def api_version(self) -> str:
        self._answer()
        return "1.48"

    async def root(self) -> str:
        self._answer()
        return "/var/lib/docker"

    async def containers(self, labels: Mapping[str, str]) -> list[Container]:
        self._answer()
        found = [one.now for _, one in sorted(self._made.items())]
        return [one for one in found if labels.items() <= one.labels.items()]

    async def container(self, name: str) -> Container | None:
        self._answer()
        made = self._made.get(name)
        return made.now if made else None

    async def create(self, spec: ContainerSpec) -> None:
        self._answer()
        if spec.name in self._made:
            raise NameTaken(spec.name)
        addresses = {spec.network: spec.address or "", **dict.fromkeys(spec.networks, "")}
        for network in addresses:
            self.make_network(network)
        now = Container(
            id=f"container-{next(self._numbers)}",
            name=spec.name,
            labels=dict(spec.labels),
            image_id=spec.image,
            status="created",
            restart=spec.restart,
            addresses=addresses,
        )
        self._made[spec.name] = _Made(spec, now, {one: self.networks[one] for one in addresses})

    async def start(self, name: str) -> None:
        made = self._known(f"start container {name}", name)
        if made.now.running:
            return
        for other in self._made.values():
            if other is not made and other.now.running:
                self._refuse_collision(made, other)
        program = self.programs.get(made.spec.image, Program())
        if program.refusal:
            raise StepFailed(Reason.START_FAILED, f"start container {name}: {program.refusal}")
        made.output += program.output
        self.change(
            name, status="running", exit_code=0, out_of_memory=False, started_at=_now(),
            health=program.health, health_output=program.health_output,
        )  # fmt: skip
        if program.exit_code is not None:
            self.exit(name, program.exit_code, out_of_memory=program.out_of_memory)

    def _refuse_collision(self, made: _Made, other: _Made) -> None:
        spec, theirs = made.spec, other.spec
        if spec.address and (spec.network, spec.address) == (theirs.network, theirs.address):
            del self._made[spec.name]
            raise AddressTaken(spec.name)
        taken = {(port.host, port.protocol) for port in theirs.ports}
        for port in spec.ports:
            if (port.host, port.protocol) in taken:
                raise StepFailed(
                    Reason.START_FAILED,
                    f"start container {spec.name}: port {port.host} is already allocated",
                )

    async def stop(self, name: str) -> None:
        self._answer()
        made = self._made.get(name)
        if made and made.now.status in ("running", "restarting"):
            self.exit(name, _TERMINATED)

    async def remove(self, name: str) -> None:
        self._answer()
        self._made.pop(name, None)

    async def addresses_on(self, network: str) -> set[str]:
        self._answer()
        return {one.now.addresses.get(network, "") for one in self._made.values()} - {""}

    async def publisher_of(self, port: int, protocol: str) -> Container | None:
        self._answer()
        for one in self._made.values():
            published = {(bound.host, bound.protocol) for bound in one.spec.ports}
            if one.now.running and (port, protocol) in published:
                return one.now
        return None

    async def set_restart(self, name: str, policy: str) -> None:
        self._known(f"set the restart policy of {name}", name)
        self.change(name, restart=policy)

    async def last_lines(self, name: str, count: int = 20) -> str:
        self._answer()
        made = self._made.get(name)
        return "".join(made.output.splitlines(keepends=True)[-count:]) if made else ""

    def _known(self, doing: str, name: str) -> _Made:
        self._answer()
        if name not in self._made:
            raise StepFailed(Reason.START_FAILED, f"{doing}: No such container: {name}")
        return self._made[name]


def _now() -> str:
    return datetime.now(UTC).isoformat()
