"""Creates networks through the engine's API, without IPv6.

The client library omits the IPv6 setting unless it is on, and an engine may enable IPv6 for new
networks by default. Our rules and addresses are IPv4 only, so each request turns it off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import docker
from docker.errors import APIError

_INTERFACE: Final = "com.docker.network.bridge.name"
_ICC: Final = "com.docker.network.bridge.enable_icc"
#: For engines that use this option as the default.
_IPV6: Final = "com.docker.network.enable_ipv6"
#: The engine's messages for addresses or an interface that are taken.
_TAKEN: Final = ("overlaps", "conflicts with network", "already exists")


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A bridge network."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    #: The name of the kernel's bridge; empty lets the engine choose.
    interface: str = ""
    #: Whether containers in the network reach each other.
    open_within: bool = True
    #: Subnet, gateway and dynamic address range; empty lets the engine choose.
    pool: Mapping[str, str] = field(default_factory=dict)


def network_request(spec: NetworkSpec) -> dict[str, Any]:
    """Return the body of the request that creates a network."""
    options = {_IPV6: "false"}
    if spec.interface:
        options[_INTERFACE] = spec.interface
    if not spec.open_within:
        options[_ICC] = "false"
    return {
        "Name": spec.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "EnableIPv6": False,
        "Options": options,
        "Labels": dict(spec.labels),
        "IPAM": {"Driver": "default", "Config": [dict(spec.pool)] if spec.pool else []},
    }


def create_network(c: docker.APIClient, spec: NetworkSpec) -> None:
    """Create a network. Raises: APIError"""
    answer = c._post_json(c._url("/networks/create"), data=network_request(spec))  # type: ignore[attr-defined]
    c._raise_for_status(answer)  # type: ignore[attr-defined]


def create_unless_taken(spec: NetworkSpec, c: docker.APIClient) -> bool:
    """Create a network; return False if its addresses or its interface are taken."""
    try:
        create_network(c, spec)
    except APIError as error:
        if any(words in str(error.explanation) for words in _TAKEN):
            return False
        raise
    return True
