"""What builds may reach: the internet and name servers, but nothing of this server's.

Rules of the kernel's packet filter, in two chains of our own: for what is sent on to other networks
(hooked into Docker's own DOCKER-USER, https://docs.docker.com/engine/network/packet-filtering-firewalls/),
and for what is sent to this machine itself.
"""

import hashlib
import ipaddress
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aweigh.adapters.threads import in_thread
from aweigh.domain.errors import AweighError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Everything that is not the public internet (RFC 6890), whoever uses it.
_INTERNAL: Final = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip
_RESOLVER: Final = Path("/etc/resolv.conf")
_SECONDS: Final = 20
_ANSWERS: Final = "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"
_REFUSE: Final = "-j REJECT --reject-with icmp-admin-prohibited"


class CannotConfine(AweighError):
    """The packet filter of this server cannot be set."""


@dataclass(frozen=True, kw_only=True)
class Firewall:
    """The walls round one bridge of this machine."""

    interface: str
    allowed: tuple[Network, ...] = ()

    @property
    def forwarded(self) -> str:
        return f"{self.interface}-out"

    @property
    def local(self) -> str:
        return f"{self.interface}-host"

    async def ensure(self) -> None:
        """Have the rules, before anything runs that they are for.

        Raises:
            CannotConfine: they cannot be had; says why.
        """
        await in_thread(self._ensure)

    def _ensure(self) -> None:
        if os.geteuid() != 0:
            raise CannotConfine("the server worker does not run as root")
        if not Path("/sys/class/net", self.interface).exists():
            raise CannotConfine("the engine's networks are not this machine's")
        _run(["iptables-restore", "--noflush", "--wait"], "\n".join(self.rules(_nameservers())))
        there = _run(["iptables", "--wait", "-S"]).splitlines()
        for chain, target in (("DOCKER-USER", self.forwarded), ("INPUT", self.local)):
            jump = ["-i", self.interface, "-j", target]
            if " ".join(["-A", chain, *jump]) not in there:
                _run(["iptables", "--wait", "-I", chain, *jump])

    def rules(self, nameservers: Sequence[str]) -> list[str]:
        """The two chains in the words of `iptables-restore`, which sets them at once."""
        passing = [_ANSWERS]
        passing += [
            f"-d {server} -p {protocol} --dport 53 -j RETURN"
            for server in nameservers
            for protocol in ("udp", "tcp")
        ]
        passing += [f"-d {network} -j RETURN" for network in self.allowed if network.version == 4]
        internal = [f"-d {network} {_REFUSE}" for network in _INTERNAL]
        return [
            "*filter",
            f":{self.forwarded} - [0:0]",
            f":{self.local} - [0:0]",
            *(f"-A {self.forwarded} {rule}" for rule in [*passing, *internal]),
            *(f"-A {self.local} {rule}" for rule in [*passing, _REFUSE]),
            "COMMIT\n",
        ]

    async def remove(self) -> None:
        """Take the rules away; those that are not there are fine."""
        await in_thread(self.remove_now)

    def remove_now(self) -> None:
        for chain, target in (("DOCKER-USER", self.forwarded), ("INPUT", self.local)):
            _succeeds(["iptables", "--wait", "-D", chain, "-i", self.interface, "-j", target])
            _succeeds(["iptables", "--wait", "-F", target])
            _succeeds(["iptables", "--wait", "-X", target])


def interface_of(network: str) -> str:
    """The name of a network's bridge: the kernel takes 15 characters, chains 28."""
    return f"awb{hashlib.sha256(network.encode()).hexdigest()[:10]}"


def _nameservers() -> list[str]:
    """Those that the engine asks for containers; one on loopback it asks from outside them."""
    words = (line.split() for line in _RESOLVER.read_text().splitlines())
    given = [line[1] for line in words if line[:1] == ["nameserver"] and len(line) > 1]
    return list(_ipv4(given))


def _ipv4(addresses: Iterable[str]) -> Iterable[str]:
    for text in addresses:
        try:
            address = ipaddress.IPv4Address(text)
        except ValueError:
            continue
        if not address.is_loopback:
            yield str(address)


def _run(command: list[str], text: str | None = None) -> str:
    try:
        return subprocess.run(
            command, input=text, check=True, capture_output=True, text=True, timeout=_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise CannotConfine(f"{command[0]}: {' '.join(str(said).split())[:200]}") from error


def _succeeds(command: list[str]) -> bool:
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
