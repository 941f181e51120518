"""Prevents applications from reaching or impersonating certain addresses.

Applications cannot reach the metadata services of clouds, which hand out the machine's credentials,
nor link-local addresses, where services trust every client as a neighbour; nor private networks if
the server's settings say so; nor other networks of containers, also at moments when Docker does not
see to that. Ports that other containers publish are open, as for everybody.

One rule covers all networks: the names of their bridges have a common prefix.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aweigh.containers.bridges import container_bridges, interface_names
from aweigh.containers.build_firewall import (
    ANSWERS,
    DROP,
    METADATA,
    REFUSE,
    closed,
    nameservers,
    passing,
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
        set_chains(lambda: self.chains(nameservers(), interface_names()))

    def chains(self, resolvers: Sequence[str], interfaces: Iterable[str] = ()) -> list[Chain]:
        """`interfaces`: those of this machine."""
        interface, name = f"{self.names.interfaces}+", self.names.interfaces
        private = INTERNAL if self.private_too else ()
        refused = (
            ANSWERS,
            *passing(resolvers, self.allowed, REFUSE),
            *(f"-d {network} {REFUSE}" for network in (*METADATA, *private)),
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
            closed(interface, name, (
                ANSWERS,
                *self._apart(list(interfaces)),
                *passing(resolvers, self.allowed, DROP),
                *(f"-d {network} {DROP}" for network in METADATA),
                f"-o {interface} -m conntrack --ctstate DNAT -j RETURN",
                *(f"-d {network} {DROP}" for network in private),
            )),
        ]  # fmt: skip

    def _apart(self, interfaces: Sequence[str]) -> Iterable[str]:
        """Return rules that keep each network apart from all others, except published ports."""
        for own in interfaces:
            if own.startswith(self.names.interfaces):
                yield f"-i {own} -o {own} -j RETURN"
        for bridge in container_bridges(interfaces):
            yield f"-o {bridge} -m conntrack ! --ctstate DNAT {DROP}"

    def remove_now(self) -> None:
        """Remove the rules, if they exist."""
        remove_chains(self.chains([]))

    async def remove(self) -> None:
        await in_thread(self.remove_now)
