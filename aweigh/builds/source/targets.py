"""The addresses that requests made for a user may reach: public ones, and configured ones."""

import ipaddress
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aweigh.builds.source.private_target import Address, PrivateTarget
from aweigh.containers.build_firewall import INTERNAL
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    StepFailed,
    StepUnavailable,
)

_INTERNAL: Final = tuple(map(ipaddress.IPv4Network, INTERNAL))
#: NAT64 (RFC 6052) and the "IPv4-compatible" form (RFC 4291): the last 32 bits are an IPv4 address.
_LAST_32_BITS: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
#: NAT64 with a prefix of the local network (RFC 8215); the target cannot be determined.
_LOCAL_TRANSLATION: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_PORTS: Final = {"https": 443, "http": 80, "ssh": 22}


@dataclass(frozen=True)
class Place:
    """A host, its port, and the address to connect to."""

    host: str
    port: int
    address: str

    @property
    def literal(self) -> str:
        """The address as it is written in a URL."""
        return f"[{self.address}]" if ":" in self.address else self.address


@dataclass(frozen=True)
class Targets:
    """`private`: addresses that may be reached although they are not public."""

    private: tuple[PrivateTarget, ...] = ()

    async def place_of(self, url: str) -> Place:
        """Resolve the host of a URL and check its addresses before anything connects to it.

        Raises:
            StepError: the host is unknown, or all its addresses are private and not allowed.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        try:
            found = await in_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            raise StepUnavailable(
                Reason.REPOSITORY_NOT_FOUND,
                f"The host {host} cannot be resolved ({error.strerror}); check the address.",
            ) from error
        addresses = [str(one[4][0]) for one in found]
        allowed = [one for one in addresses if self._may_reach(ipaddress.ip_address(one), port)]
        if not allowed:
            where = host if host == addresses[0] else f"{host} ({addresses[0]})"
            raise StepFailed(
                Reason.REPOSITORY_NOT_FOUND,
                f"{where} is in a private network, where repositories are not allowed. Allow it "
                "with AWEIGH_PRIVATE_TARGETS of the server worker.",
            )
        return Place(host, port, allowed[0])

    def _may_reach(self, address: Address, port: int) -> bool:
        return is_public(address) or any(one.holds(address, port) for one in self.private)


def is_public(address: Address) -> bool:
    """Whether an address is public; for IPv6, also the IPv4 address embedded in it."""
    if isinstance(address, ipaddress.IPv4Address):
        internal = any(address in network for network in _INTERNAL)
        return address.is_global and not (address.is_multicast or internal)
    embedded = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _LAST_32_BITS):
        embedded.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    special = address.is_multicast or address.is_site_local or address in _LOCAL_TRANSLATION
    public = address.is_global or address.ipv4_mapped is not None
    return public and not special and all(is_public(one) for one in embedded if one)
