"""Networks and volumes in memory, beside the containers of a fake engine."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.containers.application_networks import ApplicationNetworks
from aweigh.containers.build_firewall import Firewall
from aweigh.containers.networks import Networks
from aweigh.containers.subnet import Bridge
from aweigh.engine.container import Container
from aweigh.engine.naming import Names
from aweigh.testing.engine import FakeEngine


class FakeNetworks(Networks):
    """Volumes in memory, and networks of the fake engine.

    It leaves out: networks and volumes of others, labels of networks, and the removal of networks.
    """

    def __init__(self, engine: FakeEngine, instance: str) -> None:
        super().__init__(engine, instance, "identity")
        self._fake = engine
        self._volumes: dict[str, Mapping[str, str]] = {}

    async def inspect(self, name: str) -> Mapping[str, Any] | None:
        known = self._fake.networks.get(name)
        return {"Id": known, "Name": name} if known else None

    async def ensure_build_network(self, name: str) -> None:
        self._fake.make_network(name)

    @asynccontextmanager
    async def held(self, names: Names, wanted: Iterable[str]) -> AsyncIterator[None]:
        for one in wanted:
            self._fake.make_network(names.network(one))
        yield

    async def ensure_volume(self, name: str, labels: Mapping[str, str]) -> None:
        self._volumes.setdefault(name, {**self._labels, **labels})

    async def volumes(self, labels: Mapping[str, str]) -> list[Mapping[str, str]]:
        return [known for known in self._volumes.values() if labels.items() <= known.items()]

    async def remove_volumes(self, labels: Mapping[str, str]) -> None:
        kept = self._volumes.items()
        self._volumes = {name: one for name, one in kept if not labels.items() <= one.items()}


@dataclass(frozen=True, kw_only=True)
class FakeApplicationNetworks(ApplicationNetworks):
    """One network of the fake engine for each application, all in the subnet's first slice.

    It leaves out: networks of others, and who owns which.
    """

    engine: FakeEngine

    async def ensure(self, application: str, slug: str) -> Bridge:
        name = self.names.application_network(slug)
        self.engine.make_network(name)
        return Bridge(name, self.space.subnet.slice(1))

    async def cut_off(self, slug: str, containers: Iterable[Container]) -> list[Container]:
        name = self.names.application_network(slug)
        return [one for one in containers if not self.engine.is_in(one.name, name)]

    async def remove(self, slug: str) -> None:
        self.engine.networks.pop(self.names.application_network(slug), None)


class FakeApplicationFirewall(ApplicationFirewall):
    """A packet filter that is always set."""

    async def ensure(self) -> str:
        return ""

    async def remove(self) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class FakeBuildFirewall(Firewall):
    """A packet filter of builds that is always set; records which calls were made."""

    calls: list[str] = field(default_factory=list)

    async def ensure(self) -> None:
        self.calls.append("ensure")

    async def restore(self) -> None:
        self.calls.append("restore")

    async def remove(self) -> None:
        pass
