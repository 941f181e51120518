"""A network in the words of the engine's API: what its client leaves out must be said.

The client library says nothing of IPv6 unless it is wanted, and an engine may give it to every new
network by default. Our rules and addresses are for IPv4, so each network says that it has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import docker
from docker.errors import APIError

_INTERFACE: Final = "com.docker.network.bridge.name"
_ICC: Final = "com.docker.network.bridge.enable_icc"
#: For engines that take this for the default of what the request says or leaves out.
_IPV6: Final = "com.docker.network.enable_ipv6"
#: The engine's words for addresses, or an interface of that name, that somebody took meanwhile.
_TAKEN: Final = ("overlaps", "conflicts with network", "already exists")


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A bridge network."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    #: The name of the kernel's bridge; empty: the engine's choice.
    interface: str = ""
    #: Whether containers in it reach each other.
    open_within: bool = True
    #: Subnet, gateway and the range for addresses that the engine chooses; empty: its choice.
    pool: Mapping[str, str] = field(default_factory=dict)


def network_request(spec: NetworkSpec) -> dict[str, Any]:
    """What the engine is asked to make."""
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
    """Raises: APIError"""
    answer = c._post_json(c._url("/networks/create"), data=network_request(spec))  # type: ignore[attr-defined]
    c._raise_for_status(answer)  # type: ignore[attr-defined]


def create_unless_taken(spec: NetworkSpec, c: docker.APIClient) -> bool:
    """Whether it was made; not where somebody has its addresses."""
    try:
        create_network(c, spec)
    except APIError as error:
        if any(words in str(error.explanation) for words in _TAKEN):
            return False
        raise
    return True
