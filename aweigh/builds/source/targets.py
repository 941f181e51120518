"""The addresses that requests made for a user may reach: public ones, and configured ones."""

import ipaddress
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aweigh.core.address_rules import may_reach
from aweigh.core.private_target import PrivateTarget
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    StepFailed,
    StepUnavailable,
)

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
        allowed = [
            one for one in addresses if may_reach(ipaddress.ip_address(one), port, self.private)
        ]
        if not allowed:
            where = host if host == addresses[0] else f"{host} ({addresses[0]})"
            raise StepFailed(
                Reason.REPOSITORY_NOT_FOUND,
                f"{where} is in a private network, where repositories are not allowed. Allow it "
                "with AWEIGH_PRIVATE_TARGETS of the server worker.",
            )
        return Place(host, port, allowed[0])
