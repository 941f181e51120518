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


def restore_text(table: str, chains: Iterable[Chain]) -> str:
    """Return input for `iptables-restore`, which replaces all given chains of a table at once."""
    known = list(chains)
    lines = [f"*{table}", *(f":{chain.name} - [0:0]" for chain in known)]
    lines += [f"-A {chain.name} {rule}" for chain in known for rule in chain.rules]
    return "\n".join([*lines, "COMMIT", ""])


def set_chains(chains: Callable[[], Iterable[Chain]]) -> None:
    """Set these chains with exactly these rules, and hook them in.

    `chains` is called when no other change is under way: a later call knows all that an earlier one
    knew. A table that cannot be set keeps no other from being set.

    Raises:
        CannotConfine: some chains cannot be set; says which tables, and why.
    """
    if os.geteuid() != 0:
        raise CannotConfine("the server worker does not run as root")
    failed: dict[str, list[str]] = {}
    with _changing:
        for command, table, members in _by_table(chains()):
            for error in _failures(command, table, members):
                failed.setdefault(str(error), []).append(table)
    if failed:
        tables = {error: ", ".join(dict.fromkeys(known)) for error, known in failed.items()}
        raise CannotConfine(
            "; ".join(f"{error} (tables: {known})" for error, known in tables.items())
        )


def _failures(command: Command, table: str, chains: list[Chain]) -> Iterable[CannotConfine]:
    """Set the chains of one table, and yield what kept them from being set or hooked in."""
    try:
        _run([f"{command}-restore", "--noflush", "--wait"], restore_text(table, chains))
    except CannotConfine as error:
        yield error
        return
    for chain in chains:
        if not _succeeds(chain.change("-C")):
            try:
                _run(chain.change("-I"))
            except CannotConfine as error:
                yield error


def remove_chains(chains: Iterable[Chain]) -> None:
    """Remove these chains and their hooks, if they exist."""
    with _changing:
        for command, table, members in _by_table(chains):
            for chain in members:
                while _succeeds(chain.change("-D")):
                    pass
                for how in ("-F", "-X"):
                    _succeeds([command, "--wait", "-t", table, how, chain.name])


def _by_table(chains: Iterable[Chain]) -> Iterable[tuple[Command, str, list[Chain]]]:
    tables: dict[tuple[Command, str], list[Chain]] = {}
    for chain in chains:
        if chain.command == "iptables" or _IPV6.exists():
            tables.setdefault((chain.command, chain.table), []).append(chain)
    for (command, table), members in tables.items():
        yield command, table, members


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
