"""Networks and volumes on the engine: made once, and never those of somebody else."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import docker
import psutil
from docker.errors import APIError, NotFound

from aweigh.adapters.engine import Engine
from aweigh.adapters.firewall import interface_of
from aweigh.adapters.network_creation import NetworkSpec, create_network
from aweigh.domain.container import IDENTITY, INSTANCE
from aweigh.domain.deployment import Reason
from aweigh.domain.errors import StartupError, StepFailed

#: Where a free subnet is looked for when none is set: private, and seldom used by others.
_CANDIDATES: Final = tuple(f"10.{second}.0.0/16" for second in range(201, 255))


@dataclass(frozen=True)
class Bridge:
    """The network on which the proxy reaches the applications."""

    name: str
    subnet: ipaddress.IPv4Network

    @property
    def gateway(self) -> str:
        return str(self.subnet[1])

    @property
    def dynamic_range(self) -> str:
        """Addresses the engine hands out by itself: the last /24, apart from ours."""
        return str(list(self.subnet.subnets(new_prefix=24))[-1])

    @property
    def static_addresses(self) -> tuple[int, int]:
        """First and last of the addresses that Aweigh hands out, as offsets in the subnet."""
        return 256, self.subnet.num_addresses - 257


class Networks:
    """The networks and volumes of one installation on one engine."""

    def __init__(self, engine: Engine, instance: str, identity: str) -> None:
        self._engine = engine
        self._labels = {INSTANCE: instance}
        self._identity = {INSTANCE: instance, IDENTITY: identity}
        # The engine makes two networks of one name when it is asked twice at once.
        self._changing = asyncio.Lock()

    async def bridge(self, name: str, wanted: str) -> Bridge:
        """The installation's bridge, made if it is not there, in a subnet nobody uses.

        Raises:
            StartupError: the name or the subnet belongs to somebody else; says what to set.
        """
        found = await self._network(name)
        if found is None:
            await self._make_bridge(Bridge(name, await self._free_subnet(wanted)))
            found = await self._network(name)
        labels = (found or {}).get("Labels") or {}
        if found is None or not self._identity.items() <= labels.items():
            raise StartupError(
                f"the engine has a network {name!r} of another installation or server worker; "
                "give this one a name prefix of its own (AWEIGH_PREFIX)"
            )
        subnet = ipaddress.IPv4Network(found["IPAM"]["Config"][0]["Subnet"])
        if wanted and ipaddress.IPv4Network(wanted) != subnet:
            raise StartupError(
                f"network {name!r} has the subnet {subnet}, AWEIGH_SUBNET says {wanted}; "
                "set it back, or remove every application and the network first"
            )
        return Bridge(name, subnet)

    async def is_anothers(self, name: str) -> bool:
        """Whether there is a network of that name that belongs to another installation."""
        found = await self._network(name)
        labels = (found or {}).get("Labels") or {}
        return found is not None and not self._labels.items() <= labels.items()

    async def _network(self, name: str) -> Mapping[str, Any] | None:
        def found(c: docker.APIClient) -> Mapping[str, Any] | None:
            try:
                return c.inspect_network(name)  # type: ignore[no-any-return]
            except NotFound:
                return None

        return await self._engine.call(f"look at network {name}", found)

    async def _free_subnet(self, wanted: str) -> ipaddress.IPv4Network:
        taken = _host_networks() | await self._engine_networks()
        if wanted:
            return _checked(wanted, taken)
        for candidate in map(ipaddress.IPv4Network, _CANDIDATES):
            if not any(candidate.overlaps(network) for network in taken):
                return candidate
        raise StartupError("no /16 in 10.201.0.0 to 10.254.0.0 is free; set AWEIGH_SUBNET")

    async def _engine_networks(self) -> set[ipaddress.IPv4Network]:
        def listed(c: docker.APIClient) -> set[ipaddress.IPv4Network]:
            configs = [
                config
                for network in c.networks()
                for config in (network.get("IPAM") or {}).get("Config") or []
            ]
            subnets = [config.get("Subnet", "") for config in configs]
            return {ipaddress.IPv4Network(subnet) for subnet in subnets if "." in subnet}

        return await self._engine.call("list networks", listed)

    async def _make_bridge(self, bridge: Bridge) -> None:
        spec = NetworkSpec(
            name=bridge.name,
            labels=self._identity,
            # No application reaches another over this network; the proxy on the host does.
            open_within=False,
            pool={
                "Subnet": str(bridge.subnet),
                "Gateway": bridge.gateway,
                "IPRange": bridge.dynamic_range,
            },
        )
        await self._engine.call(f"make network {bridge.name}", lambda c: create_network(c, spec))

    @asynccontextmanager
    async def held(self, names: Iterable[str]) -> AsyncIterator[None]:
        """Have the networks on which applications reach each other.

        None is removed before the block has made containers in them.

        Raises:
            StepFailed: one belongs to somebody else.
        """
        wanted = list(names)
        if not wanted:
            yield
            return
        async with self._changing:
            for name in wanted:
                await self._ensure_network(NetworkSpec(name=name))
            yield

    async def ensure_build_network(self, name: str) -> None:
        """The network of builds, in which none reaches another."""
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

        found = await self._network(name)
        if found is None:
            await self._engine.call(f"make network {name}", made)
            found = await self._network(name) or {}
        self._refuse_foreign("network", name, found.get("Labels"), self._identity)

    async def ensure_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """A named volume of one application."""

        def made(c: docker.APIClient) -> Mapping[str, Any]:
            try:
                return c.inspect_volume(name)
            except NotFound:
                return c.create_volume(name, labels={**self._labels, **labels})

        found = await self._engine.call(f"make volume {name}", made)
        self._refuse_foreign("volume", name, found.get("Labels"), labels)

    def _refuse_foreign(
        self,
        kind: str,
        name: str,
        labels: Mapping[str, str] | None,
        expected: Mapping[str, str] | None = None,
    ) -> None:
        wanted = {**self._labels, **(expected or {})}
        if any((labels or {}).get(key) != value for key, value in wanted.items()):
            raise StepFailed(
                Reason.START_FAILED,
                f"The {kind} {name!r} exists on the engine and belongs to somebody else; "
                "choose another name, or remove it yourself.",
            )

    async def remove_unused_networks(self, keep: set[str]) -> None:
        """Remove this server's networks that no container is in and nobody wants."""

        def removed(c: docker.APIClient) -> None:
            labels = [f"{key}={value}" for key, value in self._identity.items() if value]
            # Stopped containers too: they could not start again without theirs.
            used = {
                name
                for container in c.containers(all=True)
                for name in container["NetworkSettings"]["Networks"]
            }
            for network in c.networks(filters={"label": labels}):
                if network["Name"] in keep | used:
                    continue
                try:
                    c.remove_network(network["Id"])
                except APIError as error:
                    if error.status_code not in (403, 404):  # in use after all, or gone
                        raise

        async with self._changing:
            await self._engine.call("remove unused networks", removed)

    async def volumes(self, labels: Mapping[str, str]) -> list[Mapping[str, str]]:
        """The labels of every volume of ours that carries these."""

        def found(c: docker.APIClient) -> list[Mapping[str, str]]:
            return [volume["Labels"] for volume in self._labelled(c, labels)]

        return await self._engine.call("list volumes", found)

    async def remove_volumes(self, labels: Mapping[str, str]) -> None:
        """Remove every volume of ours that carries these labels."""

        def removed(c: docker.APIClient) -> None:
            for volume in self._labelled(c, labels):
                c.remove_volume(volume["Name"])

        await self._engine.call("remove volumes", removed)

    def _labelled(
        self, c: docker.APIClient, labels: Mapping[str, str]
    ) -> Iterable[Mapping[str, Any]]:
        wanted = [f"{key}={value}" for key, value in {**self._labels, **labels}.items()]
        return c.volumes(filters={"label": wanted})["Volumes"] or []


def _host_networks() -> set[ipaddress.IPv4Network]:
    """The networks this machine is in or has routes to."""
    return {
        ipaddress.IPv4Interface(f"{address.address}/{address.netmask}").network
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.netmask and "." in address.address
    } | _routes(Path("/proc/net/route").read_text())


def _routes(table: str) -> set[ipaddress.IPv4Network]:
    """Linux's routing table: destination and mask in hexadecimal, least significant byte first."""
    rows = [line.split() for line in table.splitlines()[1:]]
    pairs = [(bytes.fromhex(row[1])[::-1], bytes.fromhex(row[7])[::-1]) for row in rows]
    return {
        ipaddress.IPv4Network((destination, ipaddress.IPv4Address(mask).exploded))
        for destination, mask in pairs
        if any(mask)  # the default route leads everywhere
    }


def _checked(wanted: str, taken: set[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    subnet = ipaddress.IPv4Network(wanted)
    for network in taken:
        if subnet.overlaps(network):
            raise StartupError(
                f"AWEIGH_SUBNET {wanted} overlaps {network}, which this machine uses already; "
                "set another /16"
            )
    return subnet
