"""Assigns addresses in the installation's subnet on an engine: one slice for each application."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import docker

from aweigh.containers.addresses import Addresses
from aweigh.containers.free_subnets import engine_networks, host_networks
from aweigh.containers.subnet import Bridge, Subnet
from aweigh.core.files import write_durably
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.engine import Engine
from aweigh.engine.labels import APPLICATION
from aweigh.engine.naming import ADDRESS_LOCK
from aweigh.routing.route_files import RouteFiles
from aweigh.servers.locks import Locks


@dataclass(frozen=True)
class AddressSpace:
    engine: Engine
    subnet: Subnet
    route_files: RouteFiles
    locks: Locks
    #: The directory of the files with the last assigned address and slice.
    directory: Path

    @property
    def last_slice(self) -> Path:
        """The file with the index of the slice that was assigned last."""
        return self.directory / "next-network"

    async def take_address(self, bridge: Bridge, slug: str) -> str:
        """Return an address that no container, running or stopped, and no route uses."""
        async with self.locks.holding(ADDRESS_LOCK):
            in_use = await self.engine.addresses_on(bridge.name)
            for file in self.route_files.of(slug):
                in_use |= set(file.generation.addresses)
            addresses = Addresses(self.directory / "next-address")
            return (await in_thread(lambda: addresses.take(bridge, 1, in_use)))[0]

    async def take_slice(self, application: str, slug: str, refused: set[int]) -> int:
        """Return the index of a slice that no container or route uses, preferring the application's
        former slice.

        Raises:
            StepFailed: every slice is taken.
        """
        async with self.locks.holding(ADDRESS_LOCK):
            own = [one for file in self.route_files.of(slug) for one in file.generation.addresses]
            taken = await self._taken(application) | refused
            last = int(self.last_slice.read_text()) if self.last_slice.exists() else 0
            before = [index for one in own if (index := self.subnet.index_of(one))]
            for index in before:
                if index not in taken:
                    return index
            for index in self.subnet.after(last):
                if index not in taken:
                    await in_thread(partial(write_durably, self.last_slice, str(index)))
                    return index
        raise StepFailed(
            Reason.START_FAILED,
            f"All {self.subnet.count - 1} application networks in {self.subnet.network} are in "
            "use; remove unused applications.",
        )

    async def _taken(self, application: str) -> set[int]:
        """Return the slices that networks, containers and routes of other applications use."""

        def of_engine(c: docker.APIClient) -> tuple[set[ipaddress.IPv4Network], list[str]]:
            return engine_networks(c), list(_addresses(c.containers(all=True), application))

        networks, addresses = await self.engine.call("list networks", of_engine)
        addresses += [
            address
            for file in await in_thread(self.route_files.all)
            if file.generation.application != application
            for address in file.generation.addresses
        ]
        taken = {self.subnet.index_of(one) for one in addresses}
        for network in networks | host_networks():
            if network.prefixlen > self.subnet.network.prefixlen:  # a wider route is less specific
                first, last = (self.subnet.index_of(str(network[at])) for at in (0, -1))
                if first is not None and last is not None:
                    taken |= set(range(first, last + 1))
        return {index for index in taken if index is not None}


def _addresses(containers: Iterable[Mapping[str, Any]], application: str) -> Iterable[str]:
    """Yield addresses of other applications' containers, running or stopped."""
    for one in containers:
        if (one["Labels"] or {}).get(APPLICATION) == application:
            continue
        for endpoint in one["NetworkSettings"]["Networks"].values():
            static = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
            if address := static or endpoint.get("IPAddress"):
                yield address
