"""Which addresses are free on this machine and its engine."""

import ipaddress
from pathlib import Path
from typing import Final

import docker
import psutil

from aweigh.core.errors import StartupError

#: Where a free subnet is looked for when none is set: private, and seldom used by others.
_CANDIDATES: Final = tuple(f"10.{second}.0.0/16" for second in range(201, 255))


def free_subnet(wanted: str, taken: set[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """The subnet that is wanted, or else one that nobody uses.

    Raises:
        StartupError: what is wanted is used already, or everything is.
    """
    if wanted:
        return _checked(wanted, taken)
    for candidate in map(ipaddress.IPv4Network, _CANDIDATES):
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise StartupError("no /16 in 10.201.0.0 to 10.254.0.0 is free; set AWEIGH_SUBNET")


def host_networks() -> set[ipaddress.IPv4Network]:
    """The networks this machine is in or has routes to."""
    return {
        ipaddress.IPv4Interface(f"{address.address}/{address.netmask}").network
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.netmask and "." in address.address
    } | routes(Path("/proc/net/route").read_text())


def engine_networks(c: docker.APIClient) -> set[ipaddress.IPv4Network]:
    """The subnets of every network of the engine."""
    configs = [
        config
        for network in c.networks()
        for config in (network.get("IPAM") or {}).get("Config") or []
    ]
    subnets = [config.get("Subnet", "") for config in configs]
    return {ipaddress.IPv4Network(subnet) for subnet in subnets if "." in subnet}


def routes(table: str) -> set[ipaddress.IPv4Network]:
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
