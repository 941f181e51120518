"""Prevents applications from reaching or impersonating certain addresses.

Applications cannot reach the metadata services of clouds, which hand out the machine's credentials,
nor link-local addresses, where services trust every client as a neighbour; nor private networks if
the server's settings say so; nor each other's networks, also at moments when Docker does not see to
that.

One rule covers all networks: the names of their bridges have a common prefix.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aweigh.containers.build_firewall import (
    ANSWERS,
    METADATA,
    REFUSE,
    closed,
    name_service,
    nameservers,
    refuse_distant,
    without_ipv6,
)
from aweigh.containers.iptables import CannotConfine, Chain, remove_chains, set_chains
from aweigh.containers.subnet import ANCHOR
from aweigh.core.address_rules import INTERNAL
from aweigh.core.threads import in_thread
from aweigh.engine.naming import Names

#: Packets to the machine's loopback, or with a source address outside the container's network.
_FORGED: Final = ("-d 127.0.0.0/8 -j DROP", "-m rpfilter --invert -j DROP")


@dataclass(frozen=True, kw_only=True)
class ApplicationFirewall:
    """The packet filter of all networks that applications of this installation are in."""

    names: Names
    allowed: tuple[ipaddress.IPv4Network, ...] = ()
    #: Whether private networks are closed too.
    private_too: bool = False

    async def ensure(self) -> str:
        """Set the rules; return "", or a description of what stays reachable if that fails."""
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
        set_chains(lambda: self.chains(nameservers(), self._bridges()))

    def _bridges(self) -> list[str]:
        found = Path("/sys/class/net").glob(f"{self.names.interfaces}*")
        return sorted(one.name for one in found)

    def chains(self, resolvers: Sequence[str], bridges: Iterable[str] = ()) -> list[Chain]:
        """`bridges`: those that exist; each carries traffic within its own network only."""
        interface, name = f"{self.names.interfaces}+", self.names.interfaces
        passing = self._passing(resolvers)
        # Docker itself blocks traffic between the networks, but not at each moment.
        apart = (*(f"-i {one} -o {one} -j RETURN" for one in bridges), f"-o {interface} -j DROP")
        refused = (
            *passing,
            *(f"-d {network} {REFUSE}" for network in self._closed),
            # Also if the machine redirects the address to a local agent.
            *(f"-m conntrack --ctorigdst {network} {REFUSE}" for network in METADATA),
        )
        return [
            Chain(
                command="iptables", table="filter", hook="DOCKER-USER", interface=interface,
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
            closed(interface, name, (ANSWERS, *apart, *passing), self._closed),
        ]  # fmt: skip

    @property
    def _closed(self) -> tuple[str, ...]:
        return INTERNAL if self.private_too else METADATA

    def _passing(self, resolvers: Sequence[str]) -> tuple[str, ...]:
        allowed = (f"-d {network} -j RETURN" for network in self.allowed)
        return (ANSWERS, *name_service(resolvers), *allowed)

    def remove_now(self) -> None:
        """Remove the rules, if they exist."""
        remove_chains(self.chains([]))

    async def remove(self) -> None:
        await in_thread(self.remove_now)
