"""Finds free subnets on this machine and its engine."""

import ipaddress
from pathlib import Path
from typing import Final

import docker
import psutil

from aweigh.core.errors import StartupError

#: Candidates if no subnet is set: private networks that are seldom used.
_CANDIDATES: Final = tuple(f"10.{second}.0.0/16" for second in range(201, 255))


def free_subnet(wanted: str, taken: set[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """Return the wanted subnet, or else a free one.

    Raises:
        StartupError: the wanted subnet overlaps another network, or none is free.
    """
    if wanted:
        return _checked(wanted, taken)
    for candidate in map(ipaddress.IPv4Network, _CANDIDATES):
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise StartupError("no /16 in 10.201.0.0 to 10.254.0.0 is free; set AWEIGH_SUBNET")


def host_networks() -> set[ipaddress.IPv4Network]:
    """Return the networks that this machine is in or has routes to."""
    return {
        ipaddress.IPv4Interface(f"{address.address}/{address.netmask}").network
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.netmask and "." in address.address
    } | routes(Path("/proc/net/route").read_text())


def engine_networks(c: docker.APIClient) -> set[ipaddress.IPv4Network]:
    """Return the subnets of all networks of the engine."""
    configs = [
        config
        for network in c.networks()
        for config in (network.get("IPAM") or {}).get("Config") or []
    ]
    subnets = [config.get("Subnet", "") for config in configs]
    return {ipaddress.IPv4Network(subnet) for subnet in subnets if "." in subnet}


def routes(table: str) -> set[ipaddress.IPv4Network]:
    """Parse Linux's routing table: addresses and masks in hexadecimal, lowest byte first."""
    rows = [line.split() for line in table.splitlines()[1:]]
    pairs = [(bytes.fromhex(row[1])[::-1], bytes.fromhex(row[7])[::-1]) for row in rows]
    return {
        ipaddress.IPv4Network((destination, ipaddress.IPv4Address(mask).exploded))
        for destination, mask in pairs
        if any(mask)  # skip the default route
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
