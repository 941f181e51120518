"""The addresses that requests made for a user may reach: public ones, and configured ones."""

import ipaddress
from collections.abc import Iterable
from typing import Final

from aweigh.core.private_target import Address, PrivateTarget

#: All networks that are not the public internet (RFC 6890), and Azure's WireServer.
INTERNAL: Final = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4",
    "240.0.0.0/4",
)  # fmt: skip
_INTERNAL: Final = tuple(map(ipaddress.IPv4Network, INTERNAL))
#: NAT64 (RFC 6052) and the "IPv4-compatible" form (RFC 4291): the last 32 bits are an IPv4 address.
_LAST_32_BITS: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
#: NAT64 with a prefix of the local network (RFC 8215); the target cannot be determined.
_LOCAL_TRANSLATION: Final = ipaddress.IPv6Network("64:ff9b:1::/48")


def may_reach(address: Address, port: int, private: Iterable[PrivateTarget]) -> bool:
    """`private`: addresses that may be reached although they are not public."""
    return is_public(address) or any(one.holds(address, port) for one in private)


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
