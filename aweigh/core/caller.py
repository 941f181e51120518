"""Which addresses are one caller: what is counted by address is counted by this."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

#: What an IPv6 host usually has to itself.
_PREFIX: Final = 64
_REMEMBERED: Final = 10_000


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """An address, of IPv4 also where it is written as one of IPv6; None for what is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(_REMEMBERED)
def caller_at(text: str) -> str:
    """Return the name of the caller behind an address: it, or the network of an IPv6 host."""
    address = address_of(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _PREFIX), strict=False))
    return str(address) if address else text
