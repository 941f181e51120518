"""An installation's addresses on one server, divided into slices for applications."""

import ipaddress
from dataclasses import dataclass
from typing import Final

#: Room for two generations with the maximum number of replicas, and part of a third.
SLICE_PREFIX: Final = 25
#: The slice of the empty network that reserves the addresses for the installation.
ANCHOR: Final = 0
_GATEWAY: Final = 1
#: The last /28 is assigned by the engine.
_DYNAMIC_PREFIX: Final = 28


@dataclass(frozen=True)
class Bridge:
    """A network that connects one application with the proxy and nothing else."""

    name: str
    subnet: ipaddress.IPv4Network

    @property
    def gateway(self) -> str:
        return str(self.subnet[_GATEWAY])

    @property
    def dynamic_range(self) -> str:
        """Addresses that the engine assigns itself, separate from ours."""
        return str(list(self.subnet.subnets(new_prefix=_DYNAMIC_PREFIX))[-1])

    @property
    def static_addresses(self) -> tuple[int, int]:
        """First and last of the addresses that Aweigh assigns, as offsets in the subnet."""
        dynamic = 2 ** (32 - _DYNAMIC_PREFIX)
        return _GATEWAY + 1, self.subnet.num_addresses - dynamic - 1


@dataclass(frozen=True)
class Subnet:
    """The addresses of an installation, cut into slices of equal size."""

    network: ipaddress.IPv4Network

    @property
    def count(self) -> int:
        return int(2 ** (SLICE_PREFIX - self.network.prefixlen))

    def slice(self, index: int) -> ipaddress.IPv4Network:
        size = 2 ** (32 - SLICE_PREFIX)
        return ipaddress.IPv4Network((int(self.network[0]) + index * size, SLICE_PREFIX))

    def index_of(self, address: str) -> int | None:
        """Return the index of the slice that contains an address; None outside the subnet."""
        known = ipaddress.IPv4Address(address)
        if known not in self.network:
            return None
        return int(known) - int(self.network[0]) >> 32 - SLICE_PREFIX

    def after(self, index: int) -> list[int]:
        """Return the slices for applications, starting after `index` and wrapping around."""
        first, last = ANCHOR + 1, self.count - 1
        span = last - first + 1
        return [first + (index - first + 1 + step) % span for step in range(span)]
