"""The kernel's packet filter: separate chains, hooked into the built-in ones."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from aweigh.core.errors import AweighError

Command = Literal["iptables", "ip6tables"]

_COMMANDS: Final[tuple[Command, ...]] = ("iptables", "ip6tables")
#: Missing if the kernel has no IPv6; then there is nothing to filter.
_IPV6: Final = Path("/proc/net/if_inet6")
_SECONDS: Final = 20
#: Two simultaneous changes would each miss the other's hook and insert it twice.
_changing: Final = threading.Lock()


class CannotConfine(AweighError):
    """The packet filter of this server cannot be set."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A chain for packets from one interface, or from all with a common prefix.

    `interface` may end in `+`, which makes it a prefix; `hook` is the chain, the kernel's or the
    engine's, that jumps here.
    """

    command: Command
    table: str
    hook: str
    interface: str
    name: str
    rules: tuple[str, ...] = ()

    def change(self, how: str) -> list[str]:
        """Return the command that checks (`-C`), inserts (`-I`) or deletes (`-D`) the hook."""
        jump = [self.hook, "-i", self.interface, "-j", self.name]
        return [self.command, "--wait", "-t", self.table, how, *jump]


def restore_text(chains: Iterable[Chain]) -> str:
    """Return input for `iptables-restore`, which replaces all given chains of a table at once."""
    lines: list[str] = []
    tables: dict[str, list[Chain]] = {}
    for chain in chains:
        tables.setdefault(chain.table, []).append(chain)
    for table, members in tables.items():
        lines.append(f"*{table}")
        lines += [f":{chain.name} - [0:0]" for chain in members]
        lines += [f"-A {chain.name} {rule}" for chain in members for rule in chain.rules]
        lines.append("COMMIT")
    return "\n".join([*lines, ""])


def set_chains(chains: Callable[[], Iterable[Chain]]) -> None:
    """Set these chains with exactly these rules, and hook them in.

    `chains` is called when no other change is under way: a later call knows all that an earlier one
    knew.

    Raises:
        CannotConfine: the chains cannot be set; says why.
    """
    if os.geteuid() != 0:
        raise CannotConfine("the server worker does not run as root")
    with _changing:
        for command, members in _by_command(chains()):
            _run([f"{command}-restore", "--noflush", "--wait"], restore_text(members))
            for chain in members:
                if not _succeeds(chain.change("-C")):
                    _run(chain.change("-I"))


def remove_chains(chains: Iterable[Chain]) -> None:
    """Remove these chains and their hooks, if they exist."""
    with _changing:
        for _, members in _by_command(chains):
            for chain in members:
                while _succeeds(chain.change("-D")):
                    pass
                for how in ("-F", "-X"):
                    _succeeds([chain.command, "--wait", "-t", chain.table, how, chain.name])


def _by_command(chains: Iterable[Chain]) -> Iterable[tuple[Command, list[Chain]]]:
    known = list(chains)
    for command in _COMMANDS:
        members = [chain for chain in known if chain.command == command]
        if members and (command == "iptables" or _IPV6.exists()):
            yield command, members


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
