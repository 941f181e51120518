"""A network for each application, so that nothing that one sends reaches another.

On a bridge that two share, one can pass for the other: by a forged ARP answer or a forged hardware
address. On bridges of their own there is nobody to pass for.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import docker
import structlog
from docker.errors import APIError, NotFound

from aweigh.containers.addresses import Addresses
from aweigh.containers.engine import Container, Engine
from aweigh.containers.free_subnets import engine_networks, host_networks
from aweigh.containers.naming import ADDRESS_LOCK, Names
from aweigh.containers.network_creation import NetworkSpec, create_unless_taken
from aweigh.containers.networks import Networks
from aweigh.containers.spec import APPLICATION
from aweigh.containers.subnet import Bridge, Subnet
from aweigh.core.errors import StepFailed, StepUnavailable
from aweigh.core.files import write_durably
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.routing.route_files import Commits
from aweigh.servers.locks import Locks

_log = structlog.get_logger(__name__)

_ATTEMPTS: Final = 5


@dataclass(frozen=True, kw_only=True)
class ApplicationNetworks:
    """Called under the application's lock."""

    engine: Engine
    networks: Networks
    names: Names
    subnet: Subnet
    commits: Commits
    locks: Locks
    addresses: Addresses
    counter: Path
    labels: Mapping[str, str] = field(default_factory=dict)

    async def ensure(self, application: str, slug: str) -> Bridge:
        """The application's network; one that is not there (any more) is made.

        Raises:
            StepFailed: the name belongs to somebody else, or every slice is taken.
        """
        name = self.names.application_network(slug)
        found = await self.networks.look(name)
        if found is None:
            await self._make(application, slug)
            found = await self.networks.look(name) or {}
        labels = {**self.labels, APPLICATION: application}
        self.networks.refuse_foreign("network", name, found.get("Labels"), labels)
        return Bridge(name, ipaddress.IPv4Network(found["IPAM"]["Config"][0]["Subnet"]))

    async def take_address(self, bridge: Bridge, slug: str) -> str:
        """An address on it that no container has, in whatever state, and no route names."""
        async with self.locks.holding(ADDRESS_LOCK):
            in_use = await self.engine.addresses_on(bridge.name)
            for commit in self.commits.of(slug):
                in_use |= set(commit.generation.addresses)
            return (await in_thread(lambda: self.addresses.take(bridge, 1, in_use)))[0]

    async def cut_off(self, slug: str, containers: Iterable[Container]) -> list[Container]:
        """Those that are not in the network that there is now: nobody reaches them any more."""
        name, known = self.names.application_network(slug), list(containers)

        def sorted_out(c: docker.APIClient) -> list[Container]:
            there = {one["Id"] for one in c.networks(names=[name]) if one["Name"] == name}
            return [one for one in known if _network_id(c, one.id, name) not in there]

        return await self.engine.call(f"look who is in network {name}", sorted_out)

    async def remove(self, slug: str) -> None:
        """Take it away; it stays while somebody has a container of his own in it."""

        def removed(c: docker.APIClient) -> bool:
            found = c.networks(names=[name], filters={"label": _filters(self.labels)})
            for network in found:
                if network["Name"] == name and not _remove(c, network["Id"]):
                    return False
            return True

        name = self.names.application_network(slug)
        gone = await self.engine.call(f"remove network {name}", removed)
        if not gone:
            _log.warning("a network stays: a container that is not ours is in it", network=name)

    async def owners(self) -> set[str]:
        """The ids of the applications that have one."""

        def listed(c: docker.APIClient) -> set[str]:
            found = c.networks(filters={"label": [*_filters(self.labels), APPLICATION]})
            return {one["Labels"][APPLICATION] for one in found}

        return await self.engine.call("list networks of applications", listed)

    async def _make(self, application: str, slug: str) -> None:
        name = self.names.application_network(slug)
        refused: set[int] = set()
        for _ in range(_ATTEMPTS):
            index = await self._take_slice(application, slug, refused)
            bridge = Bridge(name, self.subnet.slice(index))
            spec = NetworkSpec(
                name=name,
                labels={**self.labels, APPLICATION: application},
                interface=self.names.slice_interface(index),
                pool={
                    "Subnet": str(bridge.subnet),
                    "Gateway": bridge.gateway,
                    "IPRange": bridge.dynamic_range,
                },
            )
            if await self.engine.call(f"make network {name}", partial(create_unless_taken, spec)):
                return
            refused.add(index)
        raise StepUnavailable(Reason.START_FAILED, f"network {name}: no slice could be had")

    async def _take_slice(self, application: str, slug: str, refused: set[int]) -> int:
        """One that nobody has and no route leads into; its own, if it had one."""
        async with self.locks.holding(ADDRESS_LOCK):
            own = [one for commit in self.commits.of(slug) for one in commit.generation.addresses]
            taken = await self._taken(application) | refused
            last = int(self.counter.read_text()) if self.counter.exists() else 0
            before = [index for one in own if (index := self.subnet.index_of(one))]
            for index in before:
                if index not in taken:
                    return index
            for index in self.subnet.after(last):
                if index not in taken:
                    await in_thread(partial(write_durably, self.counter, str(index)))
                    return index
        raise StepFailed(
            Reason.START_FAILED,
            f"Each of the {self.subnet.count - 1} networks that applications can have in "
            f"{self.subnet.network} is taken; remove applications that nobody needs.",
        )

    async def _taken(self, application: str) -> set[int]:
        """Slices of other applications: of their networks, containers and routes."""

        def of_engine(c: docker.APIClient) -> tuple[set[ipaddress.IPv4Network], list[str]]:
            return engine_networks(c), list(_addresses(c.containers(all=True), application))

        networks, addresses = await self.engine.call("list networks", of_engine)
        addresses += [
            address
            for commit in await in_thread(self.commits.all)
            if commit.generation.application != application
            for address in commit.generation.addresses
        ]
        taken = {self.subnet.index_of(one) for one in addresses}
        for network in networks | host_networks():
            if network.prefixlen > self.subnet.network.prefixlen:  # a wider route is less specific
                first, last = (self.subnet.index_of(str(network[at])) for at in (0, -1))
                if first is not None and last is not None:
                    taken |= set(range(first, last + 1))
        return {index for index in taken if index is not None}


def _addresses(containers: Iterable[Mapping[str, Any]], application: str) -> Iterable[str]:
    """The addresses that containers of others have, or will have when they run again."""
    for one in containers:
        if (one["Labels"] or {}).get(APPLICATION) == application:
            continue
        for endpoint in one["NetworkSettings"]["Networks"].values():
            static = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
            if address := static or endpoint.get("IPAddress"):
                yield address


def _network_id(c: docker.APIClient, container: str, network: str) -> str:
    joined = c.inspect_container(container)["NetworkSettings"]["Networks"]
    return str((joined.get(network) or {}).get("NetworkID", ""))


def _remove(c: docker.APIClient, network: str) -> bool:
    try:
        c.remove_network(network)
    except NotFound:
        return True
    except APIError as error:
        if error.status_code != 403:  # somebody's container is in it
            raise
        return False
    return True


def _filters(labels: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in labels.items()]
