"""Restricts builds to the internet and name servers.

The rules cover forwarded traffic (in Docker's chain DOCKER-USER,
https://docs.docker.com/engine/network/packet-filtering-firewalls/), traffic to this machine itself,
and IPv6, which is dropped because build networks have none.

Docker takes the jumps to its chains, DOCKER-USER among them, out of FORWARD and puts them back
whenever a network is created.
A packet in between would pass, and the rest of its connection with it. The same addresses, and the
bridges of all other networks, are therefore closed in the table `security`, which comes after
`filter` and which Docker does not use.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aweigh.containers.bridges import container_bridges, has_interface, interface_names
from aweigh.containers.iptables import CannotConfine, Chain, remove_chains, set_chains
from aweigh.core.address_rules import INTERNAL
from aweigh.core.threads import in_thread
from aweigh.engine.naming import BUILD_BRIDGES

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Metadata services of clouds, which hand out a machine's credentials: link-local addresses, and
#: those of Alibaba Cloud, Oracle Cloud and Azure, whose WireServer has a public address.
METADATA: Final = ("169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32")
#: The engine gives containers the second if the first lists only a local resolver.
_RESOLVERS: Final = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
ANSWERS: Final = "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"
REFUSE: Final = "-j REJECT --reject-with icmp-admin-prohibited"
DROP: Final = "-j DROP"


@dataclass(frozen=True, kw_only=True)
class Firewall:
    """The packet filter of one bridge on this machine."""

    interface: str
    allowed: tuple[Network, ...] = ()

    async def ensure(self) -> None:
        """Set the rules; call it before anything runs in the network.

        Raises:
            CannotConfine: the rules cannot be set; says why.
        """
        await in_thread(self._ensure)

    async def restore(self) -> None:
        """Set the rules again if the network exists, as after the packet filter was reloaded.

        Raises:
            CannotConfine: the rules cannot be set; says why.
        """
        await in_thread(self._restore)

    def _restore(self) -> None:
        if has_interface(self.interface):
            self._set()

    def _ensure(self) -> None:
        refuse_distant(self.interface)
        self._set()

    def _set(self) -> None:
        set_chains(lambda: self.chains(nameservers(), interface_names()))

    def chains(self, resolvers: Sequence[str], interfaces: Iterable[str] = ()) -> list[Chain]:
        """`interfaces`: those of this machine."""
        internal = tuple(f"-d {network}" for network in INTERNAL)
        apart = (f"-o {bridge} {DROP}" for bridge in container_bridges(interfaces))
        refused = (ANSWERS, *passing(resolvers, self.allowed, REFUSE))
        dropped = (ANSWERS, *apart, *passing(resolvers, self.allowed, DROP))
        return [
            Chain(
                command="iptables", table="filter", hook="DOCKER-USER", interface=self.interface,
                name=f"{self.interface}-out",
                rules=(*refused, *(f"{one} {REFUSE}" for one in internal)),
            ),
            Chain(
                command="iptables", table="filter", hook="INPUT", interface=self.interface,
                name=f"{self.interface}-host", rules=(*refused, REFUSE),
            ),
            without_ipv6(self.interface, self.interface),
            closed(
                self.interface, self.interface,
                (*dropped, *(f"{one} {DROP}" for one in internal)),
            ),
        ]  # fmt: skip

    async def remove(self) -> None:
        """Remove the rules, if they exist."""
        await in_thread(self.remove_now)

    def remove_now(self) -> None:
        remove_chains(self.chains([]))


def without_ipv6(interface: str, name: str) -> Chain:
    """Return a chain that drops all IPv6, including that to the bridge's link-local addresses.

    It is in the table that is evaluated first, so that no other rule can accept the packets.
    """
    return Chain(
        command="ip6tables", table="raw", hook="PREROUTING", interface=interface,
        name=f"{name}-6", rules=("-j DROP",),
    )  # fmt: skip


def closed(interface: str, name: str, rules: Iterable[str]) -> Chain:
    """Return a chain for what is forwarded, which holds whatever Docker does to its own chains."""
    return Chain(
        command="iptables", table="security", hook="FORWARD", interface=interface,
        name=f"{name}-closed", rules=tuple(rules),
    )  # fmt: skip


def passing(resolvers: Sequence[str], allowed: Iterable[Network], refusal: str) -> tuple[str, ...]:
    """Return rules for name servers, allowed networks, and redirected metadata services.

    A machine may redirect a metadata service to a local agent, which may be in an allowed network.
    So the address that the packet was sent to decides first: `refusal` is for metadata services.
    """
    opened, sent_to = [one for one in allowed if one.version == 4], "-m conntrack --ctorigdst"
    return (
        *name_service(resolvers),
        *(f"{sent_to} {network} -j RETURN" for network in opened),
        *(f"{sent_to} {network} {refusal}" for network in METADATA),
        *(f"-d {network} -j RETURN" for network in opened),
    )


def refuse_distant(interface: str) -> None:
    """Reject an engine on another machine. Raises: CannotConfine: the interface is missing."""
    if not has_interface(interface):
        raise CannotConfine("the engine's networks are not on this machine")


def interface_of(network: str) -> str:
    """Return the name of a network's bridge. The kernel allows 15 characters, chains 28."""
    return f"{BUILD_BRIDGES}{hashlib.sha256(network.encode()).hexdigest()[:10]}"


def name_service(resolvers: Sequence[str]) -> list[str]:
    """Return rules that allow DNS queries."""
    return [
        f"-d {server} -p {protocol} --dport 53 -j RETURN"
        for server in resolvers
        for protocol in ("udp", "tcp")
    ]


def nameservers() -> list[str]:
    """Return the name servers that containers use. The engine itself queries those on loopback."""
    lines = [
        line.split()
        for file in _RESOLVERS
        if file.exists()
        for line in file.read_text().splitlines()
    ]
    given = [line[1] for line in lines if line[:1] == ["nameserver"] and len(line) > 1]
    return list(dict.fromkeys(_ipv4(given)))


def _ipv4(addresses: Iterable[str]) -> Iterable[str]:
    for text in addresses:
        try:
            address = ipaddress.IPv4Address(text)
        except ValueError:
            continue
        if not address.is_loopback:
            yield str(address)
