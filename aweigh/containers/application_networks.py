"""A separate network for each application, so that none can receive another's traffic.

On a shared bridge, a container can impersonate another with forged ARP answers or hardware
addresses. On a separate bridge there is nobody to impersonate.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import docker
import structlog
from docker.errors import APIError, NotFound

from aweigh.containers.address_space import AddressSpace
from aweigh.containers.network_creation import NetworkSpec, create_unless_taken
from aweigh.containers.networks import Networks
from aweigh.containers.subnet import Bridge
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepUnavailable
from aweigh.engine.container import Container
from aweigh.engine.engine import Engine
from aweigh.engine.labels import APPLICATION
from aweigh.engine.naming import Names

_log = structlog.get_logger(__name__)

_ATTEMPTS: Final = 5


@dataclass(frozen=True, kw_only=True)
class ApplicationNetworks:
    """The networks of applications. Callers hold the application's lock."""

    engine: Engine
    networks: Networks
    names: Names
    space: AddressSpace
    labels: Mapping[str, str] = field(default_factory=dict)

    async def ensure(self, application: str, slug: str) -> Bridge:
        """Return the application's network, creating it if it is absent.

        Raises:
            StepFailed: the name belongs to somebody else, or every slice is taken.
        """
        name = self.names.application_network(slug)
        found = await self.networks.inspect(name)
        if found is None:
            await self._make(application, slug)
            found = await self.networks.inspect(name) or {}
        labels = {**self.labels, APPLICATION: application}
        self.networks.refuse_foreign("network", name, found.get("Labels"), labels)
        return Bridge(name, ipaddress.IPv4Network(found["IPAM"]["Config"][0]["Subnet"]))

    async def take_address(self, bridge: Bridge, slug: str) -> str:
        """Return an address that no container, running or stopped, and no route uses."""
        return await self.space.take_address(bridge, slug)

    async def cut_off(self, slug: str, containers: Iterable[Container]) -> list[Container]:
        """Return the containers outside the application's current network, which nobody reaches."""
        name, known = self.names.application_network(slug), list(containers)

        def sorted_out(c: docker.APIClient) -> list[Container]:
            there = {one["Id"] for one in c.networks(names=[name]) if one["Name"] == name}
            return [one for one in known if _network_id(c, one.id, name) not in there]

        return await self.engine.call(f"look who is in network {name}", sorted_out)

    async def remove(self, slug: str) -> None:
        """Remove the application's network, unless a foreign container is in it."""

        def removed(c: docker.APIClient) -> bool:
            found = c.networks(names=[name], filters={"label": _filters(self.labels)})
            for network in found:
                if network["Name"] == name and not _remove(c, network["Id"]):
                    return False
            return True

        name = self.names.application_network(slug)
        gone = await self.engine.call(f"remove network {name}", removed)
        if not gone:
            _log.warning("the network was not removed: a foreign container is in it", network=name)

    async def owners(self) -> set[str]:
        """Return the ids of the applications that have a network."""

        def listed(c: docker.APIClient) -> set[str]:
            found = c.networks(filters={"label": [*_filters(self.labels), APPLICATION]})
            return {one["Labels"][APPLICATION] for one in found}

        return await self.engine.call("list networks of applications", listed)

    async def remove_volumes(self, application: str) -> None:
        """Remove an application's volumes and the data in them."""
        await self.networks.remove_volumes({APPLICATION: application})

    async def _make(self, application: str, slug: str) -> None:
        name = self.names.application_network(slug)
        refused: set[int] = set()
        for _ in range(_ATTEMPTS):
            index = await self.space.take_slice(application, slug, refused)
            bridge = Bridge(name, self.space.subnet.slice(index))
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
        raise StepUnavailable(
            Reason.START_FAILED, f"Network {name} could not be created: no free slice was found."
        )


def _network_id(c: docker.APIClient, container: str, network: str) -> str:
    joined = c.inspect_container(container)["NetworkSettings"]["Networks"]
    return str((joined.get(network) or {}).get("NetworkID", ""))


def _remove(c: docker.APIClient, network: str) -> bool:
    try:
        c.remove_network(network)
    except NotFound:
        return True
    except APIError as error:
        if error.status_code != 403:  # a foreign container is in it
            raise
        return False
    return True


def _filters(labels: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in labels.items()]
