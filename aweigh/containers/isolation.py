"""What applications may not reach or pass for, over all networks of ours that they are in.

The addresses at which clouds hand out the machine's own credentials, with all link-local ones,
where services listen that take every client for a neighbour; private networks too where the
settings of the server say so.
One rule for all networks, whose bridges' names begin alike: none has to be set for a new one.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aweigh.containers.firewall import (
    ANSWERS,
    INTERNAL,
    METADATA,
    REFUSE,
    name_service,
    nameservers,
    refuse_distant,
    without_ipv6,
)
from aweigh.containers.naming import Names
from aweigh.containers.packet_filter import CannotConfine, Chain, remove_chains, set_chains
from aweigh.containers.subnet import ANCHOR
from aweigh.core.threads import in_thread

#: Sent by a container, its source is not on its own network; or it is for this machine's loopback.
_FORGED: Final = ("-d 127.0.0.0/8 -j DROP", "-m rpfilter --invert -j DROP")


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """The packet filter of every network that applications of this installation are in."""

    names: Names
    allowed: tuple[ipaddress.IPv4Network, ...] = ()
    #: Private networks as well.
    private_too: bool = False

    async def ensure(self) -> str:
        """Set the rules; return what stays open without them, where they cannot be set."""
        try:
            await in_thread(self._ensure)
        except CannotConfine as error:
            return (
                "applications of this server can reach link-local addresses and a cloud's "
                f"metadata service, and use other addresses than their own: {error}"
            )
        return ""

    def _ensure(self) -> None:
        refuse_distant(self.names.slice_interface(ANCHOR))
        set_chains(self.chains(nameservers()))

    def chains(self, resolvers: Sequence[str]) -> list[Chain]:
        interface, name = f"{self.names.interfaces}+", self.names.interfaces
        refused = self._refused(resolvers)
        return [
            Chain(
                command="iptables", table="filter", hook="DOCKER-USER", interface=interface,
                # What goes from one to another of these networks is Docker's own to refuse.
                name=f"{name}-out", rules=(f"-o {interface} -j RETURN", *refused),
            ),
            Chain(
                command="iptables", table="filter", hook="INPUT", interface=interface,
                name=f"{name}-host", rules=refused,
            ),
            Chain(
                command="iptables", table="raw", hook="PREROUTING", interface=interface,
                name=f"{name}-raw", rules=_FORGED,
            ),
            without_ipv6(interface, name),
        ]  # fmt: skip

    def _refused(self, resolvers: Sequence[str]) -> tuple[str, ...]:
        closed = INTERNAL if self.private_too else METADATA
        return (
            ANSWERS,
            *name_service(resolvers),
            *(f"-d {network} -j RETURN" for network in self.allowed),
            *(f"-d {network} {REFUSE}" for network in closed),
            # Also where the machine leads the address on to an agent of its own.
            *(f"-m conntrack --ctorigdst {network} {REFUSE}" for network in METADATA),
        )

    def remove_now(self) -> None:
        """Take the rules away; those that are not there are fine."""
        remove_chains(self.chains([]))

    async def remove(self) -> None:
        await in_thread(self.remove_now)
