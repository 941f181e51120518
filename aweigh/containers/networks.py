"""Creates and removes an installation's networks and volumes, and never those of others."""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import docker
from docker.errors import APIError, NotFound

from aweigh.containers.build_firewall import interface_of
from aweigh.containers.free_subnets import engine_networks, free_subnet, host_networks
from aweigh.containers.network_creation import NetworkSpec, create_network, create_unless_taken
from aweigh.containers.subnet import ANCHOR, Bridge, Subnet
from aweigh.core.errors import StartupError
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.engine import Engine
from aweigh.engine.labels import (
    APPLICATION,
    IDENTITY,
    INSTANCE,
    SUBNET,
)
from aweigh.engine.naming import Names


class Networks:
    """The networks and volumes of one installation on one engine."""

    def __init__(self, engine: Engine, instance: str, identity: str) -> None:
        self._engine = engine
        self._labels = {INSTANCE: instance}
        self._identity = {INSTANCE: instance, IDENTITY: identity}
        # The engine creates two networks of the same name for simultaneous requests.
        self._changing = asyncio.Lock()
        #: The number of steps that are about to create containers in a network.
        self._held: Counter[str] = Counter()

    async def subnet(self, names: Names, wanted: str) -> Subnet:
        """Return the installation's addresses, reserving a free subnet with a network if needed.

        No container is ever in that network; each application has one with a slice of the rest.

        Raises:
            StartupError: the name or the subnet belongs to somebody else; says what to set.
        """
        name = names.bridge
        found = await self.inspect(name)
        # Another installation that starts at the same time may take the free subnet, and the engine
        # lists its network only once it exists.
        tried: set[ipaddress.IPv4Network] = set()
        while found is None:
            free = await self._free_subnet(wanted, tried)
            await self._mark(names, Subnet(free))
            tried.add(free)
            found = await self.inspect(name)
        labels = found.get("Labels") or {}
        if not self._identity.items() <= labels.items() or SUBNET not in labels:
            raise StartupError(
                f"network {name!r} on the engine belongs to another installation or server worker; "
                "set a different name prefix (AWEIGH_PREFIX)"
            )
        subnet = ipaddress.IPv4Network(labels[SUBNET])
        if wanted and ipaddress.IPv4Network(wanted) != subnet:
            raise StartupError(
                f"network {name!r} has the subnet {subnet}, AWEIGH_SUBNET says {wanted}; "
                "set it back, or remove every application and the network first"
            )
        return Subnet(subnet)

    async def belongs_to_another_installation(self, name: str) -> bool:
        """Whether a network of that name belongs to another installation."""
        found = await self.inspect(name)
        labels = (found or {}).get("Labels") or {}
        return found is not None and not self._labels.items() <= labels.items()

    async def inspect(self, name: str) -> Mapping[str, Any] | None:
        """Return the engine's data of a network; None if it does not exist."""

        def found(c: docker.APIClient) -> Mapping[str, Any] | None:
            try:
                return c.inspect_network(name)  # type: ignore[no-any-return]
            except NotFound:
                return None

        return await self._engine.call(f"inspect network {name}", found)

    async def _free_subnet(
        self, wanted: str, tried: set[ipaddress.IPv4Network]
    ) -> ipaddress.IPv4Network:
        taken = await self._engine.call("list networks", engine_networks)
        return free_subnet(wanted, taken | host_networks() | tried)

    async def _mark(self, names: Names, subnet: Subnet) -> None:
        bridge = Bridge(names.bridge, subnet.slice(ANCHOR))
        spec = NetworkSpec(
            name=bridge.name,
            labels={**self._identity, SUBNET: str(subnet.network)},
            interface=names.slice_interface(ANCHOR),
            pool={"Subnet": str(bridge.subnet), "Gateway": bridge.gateway},
        )
        made = partial(create_unless_taken, spec)
        await self._engine.call(f"make network {spec.name}", made)

    @asynccontextmanager
    async def held(self, names: Names, wanted: Iterable[str]) -> AsyncIterator[None]:
        """Create the networks that applications share, and keep them until the block has ended.

        Raises:
            StepFailed: a network belongs to somebody else.
        """
        specs = [
            NetworkSpec(name=names.network(one), interface=names.common_interface(one))
            for one in wanted
        ]
        if not specs:
            yield
            return
        names_of_all = [spec.name for spec in specs]
        self._held.update(names_of_all)
        try:
            async with self._changing:
                for spec in specs:
                    await self._ensure_network(spec)
            yield
        finally:
            self._held.subtract(names_of_all)

    async def ensure_build_network(self, name: str) -> None:
        """Create the network of builds, in which containers cannot reach each other."""
        async with self._changing:
            await self._ensure_network(
                NetworkSpec(name=name, interface=interface_of(name), open_within=False)
            )

    async def _ensure_network(self, wanted: NetworkSpec) -> None:
        name, spec = wanted.name, replace(wanted, labels=self._identity)

        def made(c: docker.APIClient) -> None:
            try:
                create_network(c, spec)
            except APIError as error:
                if error.status_code != 409:
                    raise

        found = await self.inspect(name)
        if found is None:
            await self._engine.call(f"make network {name}", made)
            found = await self.inspect(name) or {}
        self.refuse_foreign("network", name, found.get("Labels"), self._identity)

    async def ensure_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Create an application's volume, if absent."""

        def made(c: docker.APIClient) -> Mapping[str, Any]:
            try:
                return c.inspect_volume(name)
            except NotFound:
                return c.create_volume(name, labels={**self._labels, **labels})

        found = await self._engine.call(f"make volume {name}", made)
        self.refuse_foreign("volume", name, found.get("Labels"), labels)

    def refuse_foreign(
        self,
        kind: str,
        name: str,
        labels: Mapping[str, str] | None,
        expected: Mapping[str, str] | None = None,
    ) -> None:
        """Reject an object without the expected labels. Raises: StepFailed"""
        wanted = {**self._labels, **(expected or {})}
        if any((labels or {}).get(key) != value for key, value in wanted.items()):
            raise StepFailed(
                Reason.START_FAILED,
                f"The {kind} {name!r} on the engine was not created by this installation. "
                "Choose another name, or remove it.",
            )

    async def remove_unused_networks(self, keep: set[str]) -> None:
        """Remove this server's shared networks that no container is in, but for those in `keep`.

        Networks of single applications stay as long as the application.
        """
        await self._remove_networks(keep, of_applications=False)

    async def remove_all_networks(self) -> None:
        """Remove all networks of this installation that no container is in."""
        await self._remove_networks(set(), of_applications=True)

    async def _remove_networks(self, keep: set[str], *, of_applications: bool) -> None:
        def removed(c: docker.APIClient) -> None:
            held = {name for name, count in self._held.items() if count}
            labels = [f"{key}={value}" for key, value in self._identity.items() if value]
            # Stopped containers count too: they could not start again without their networks.
            used = {
                name
                for container in c.containers(all=True)
                for name in container["NetworkSettings"]["Networks"]
            }
            for network in c.networks(filters={"label": labels}):
                of_one = APPLICATION in (network.get("Labels") or {})
                if network["Name"] in keep | held | used or (of_one and not of_applications):
                    continue
                try:
                    c.remove_network(network["Id"])
                except APIError as error:
                    if error.status_code not in (403, 404):  # in use after all, or gone
                        raise

        async with self._changing:
            await self._engine.call("remove unused networks", removed)

    async def volumes(self, labels: Mapping[str, str]) -> list[Mapping[str, str]]:
        """Return the labels of all volumes of this installation that have the given labels."""

        def found(c: docker.APIClient) -> list[Mapping[str, str]]:
            return [volume["Labels"] for volume in self._labelled(c, labels)]

        return await self._engine.call("list volumes", found)

    async def remove_volumes(self, labels: Mapping[str, str]) -> None:
        """Remove all volumes of this installation that have these labels."""

        def removed(c: docker.APIClient) -> None:
            for volume in self._labelled(c, labels):
                c.remove_volume(volume["Name"])

        await self._engine.call("remove volumes", removed)

    def _labelled(
        self, c: docker.APIClient, labels: Mapping[str, str]
    ) -> Iterable[Mapping[str, Any]]:
        wanted = [f"{key}={value}" for key, value in {**self._labels, **labels}.items()]
        return c.volumes(filters={"label": wanted})["Volumes"] or []
