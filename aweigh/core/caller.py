"""Groups addresses by caller, for limits that are counted by address."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

#: The network that an IPv6 host usually has for itself.
_PREFIX: Final = 64
_REMEMBERED: Final = 10_000


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address, IPv4-mapped ones as IPv4; None if the text is not an address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(_REMEMBERED)
def caller_at(text: str) -> str:
    """Return the caller behind an address: the address, or an IPv6 host's network."""
    address = address_of(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _PREFIX), strict=False))
    return str(address) if address else text
