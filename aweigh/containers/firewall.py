"""What builds may reach: the internet and name servers, but nothing of this server's.

For what is sent on to other networks (hooked into Docker's own DOCKER-USER,
https://docs.docker.com/engine/network/packet-filtering-firewalls/), for what is sent to this
machine itself, and for IPv6, which no network of builds has.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aweigh.containers.packet_filter import CannotConfine, Chain, remove_chains, set_chains
from aweigh.core.threads import in_thread

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Where clouds hand out a machine's own credentials: link-local addresses, and those of Alibaba
#: Cloud, Oracle Cloud and Azure, whose WireServer has a public address.
METADATA: Final = ("169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32")
#: Everything that is not the public internet (RFC 6890), and Azure's WireServer.
INTERNAL: Final = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4",
    "240.0.0.0/4",
)  # fmt: skip
#: The second is what the engine gives to containers where the first names a local resolver only.
_RESOLVERS: Final = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
ANSWERS: Final = "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"
REFUSE: Final = "-j REJECT --reject-with icmp-admin-prohibited"


@dataclass(frozen=True, kw_only=True)
class Firewall:
    """The walls round one bridge of this machine."""

    interface: str
    allowed: tuple[Network, ...] = ()

    async def ensure(self) -> None:
        """Have the rules, before anything runs that they are for.

        Raises:
            CannotConfine: they cannot be had; says why.
        """
        await in_thread(self._ensure)

    def _ensure(self) -> None:
        refuse_distant(self.interface)
        set_chains(self.chains(nameservers()))

    def chains(self, resolvers: Sequence[str]) -> list[Chain]:
        passing = [ANSWERS, *name_service(resolvers)]
        passing += [f"-d {network} -j RETURN" for network in self.allowed if network.version == 4]
        internal = [f"-d {network} {REFUSE}" for network in INTERNAL]
        return [
            Chain(
                command="iptables", table="filter", hook="DOCKER-USER", interface=self.interface,
                name=f"{self.interface}-out", rules=(*passing, *internal),
            ),
            Chain(
                command="iptables", table="filter", hook="INPUT", interface=self.interface,
                name=f"{self.interface}-host", rules=(*passing, REFUSE),
            ),
            without_ipv6(self.interface, self.interface),
        ]  # fmt: skip

    async def remove(self) -> None:
        """Take the rules away; those that are not there are fine."""
        await in_thread(self.remove_now)

    def remove_now(self) -> None:
        remove_chains(self.chains([]))


def without_ipv6(interface: str, name: str) -> Chain:
    """Nothing by IPv6: not to the link's own addresses either, which every bridge has.

    Before any other table, so that no rule of somebody else's lets it pass.
    """
    return Chain(
        command="ip6tables", table="raw", hook="PREROUTING", interface=interface,
        name=f"{name}-6", rules=("-j DROP",),
    )  # fmt: skip


def refuse_distant(interface: str) -> None:
    """Raises: CannotConfine: the interface is not there, so the engine is not here."""
    if not Path("/sys/class/net", interface).exists():
        raise CannotConfine("the engine's networks are not this machine's")


def interface_of(network: str) -> str:
    """The name of a network's bridge: the kernel takes 15 characters, chains 28."""
    return f"awb{hashlib.sha256(network.encode()).hexdigest()[:10]}"


def name_service(resolvers: Sequence[str]) -> list[str]:
    """Rules that let questions for names through."""
    return [
        f"-d {server} -p {protocol} --dport 53 -j RETURN"
        for server in resolvers
        for protocol in ("udp", "tcp")
    ]


def nameservers() -> list[str]:
    """Those that the engine asks for containers; one on loopback it asks from outside them."""
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
