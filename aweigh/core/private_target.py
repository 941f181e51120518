"""Addresses in private networks that requests made for a user may reach."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: A network or an address; an IPv6 one is in brackets if a port follows.
_TARGET: Final = re.compile(r"(?:\[(?P<six>[^]]+)\]|(?P<plain>[^:]+))(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True)
class PrivateTarget:
    """A network, and the one port that is allowed; None allows all."""

    network: Network
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> "PrivateTarget":
        """Parse `10.0.0.0/8`, `10.0.0.5:3000`, `fd00::/8` or `[fd00::5]:3000`.

        Raises:
            ValueError: the text has another form.
        """
        match = _TARGET.fullmatch(text)
        if match is None:
            return cls(ipaddress.ip_network(text))
        port = int(match["port"]) if match["port"] else None
        if port is not None and not 0 < port < 65536:
            raise ValueError(f"{text} has no such port")
        return cls(ipaddress.ip_network(match["six"] or match["plain"]), port)

    def __str__(self) -> str:
        if self.port is None:
            return str(self.network)
        six = f"[{self.network}]" if self.network.version == 6 else str(self.network)
        return f"{six}:{self.port}"

    def holds(self, address: Address, port: int) -> bool:
        return address in self.network and self.port in (None, port)
