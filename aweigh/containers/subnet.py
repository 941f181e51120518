"""An installation's addresses on one server, and the slice of them that each application has."""

import ipaddress
from dataclasses import dataclass
from typing import Final

#: Room for two generations of the most replicas there may be, and what is left of a third.
SLICE_PREFIX: Final = 25
#: The slice of the network that marks the addresses as the installation's, with nothing in it.
ANCHOR: Final = 0
_GATEWAY: Final = 1
#: What the engine may hand out by itself: the last /28.
_DYNAMIC_PREFIX: Final = 28


@dataclass(frozen=True)
class Bridge:
    """A network on which the proxy reaches one application, and nothing else does."""

    name: str
    subnet: ipaddress.IPv4Network

    @property
    def gateway(self) -> str:
        return str(self.subnet[_GATEWAY])

    @property
    def dynamic_range(self) -> str:
        """Addresses the engine hands out by itself, apart from ours."""
        return str(list(self.subnet.subnets(new_prefix=_DYNAMIC_PREFIX))[-1])

    @property
    def static_addresses(self) -> tuple[int, int]:
        """First and last of the addresses that Aweigh hands out, as offsets in the subnet."""
        dynamic = 2 ** (32 - _DYNAMIC_PREFIX)
        return _GATEWAY + 1, self.subnet.num_addresses - dynamic - 1


@dataclass(frozen=True)
class Subnet:
    """The addresses of an installation, cut into slices of one size."""

    network: ipaddress.IPv4Network

    @property
    def count(self) -> int:
        return int(2 ** (SLICE_PREFIX - self.network.prefixlen))

    def slice(self, index: int) -> ipaddress.IPv4Network:
        size = 2 ** (32 - SLICE_PREFIX)
        return ipaddress.IPv4Network((int(self.network[0]) + index * size, SLICE_PREFIX))

    def index_of(self, address: str) -> int | None:
        """The slice that an address is in; None outside of the subnet."""
        known = ipaddress.IPv4Address(address)
        if known not in self.network:
            return None
        return int(known) - int(self.network[0]) >> 32 - SLICE_PREFIX

    def after(self, index: int) -> list[int]:
        """Every slice an application may have, in the order in which they come after one."""
        first, last = ANCHOR + 1, self.count - 1
        span = last - first + 1
        return [first + (index - first + 1 + step) % span for step in range(span)]
