"""A machine beside this one that has a link-local address, as a cloud's metadata service does."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

PORT = 8000
_SERVE = """
import socket, sys
with socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=50) as server:
    print("serves", flush=True)
    while True:
        server.accept()[0].close()
"""


@dataclass(frozen=True)
class Neighbour:
    """Addresses that serve on port 8000, of the kinds that a container may ask for."""

    #: Of a machine elsewhere, on the internet as far as rules know.
    public: str
    #: Of the same machine.
    link_local: str
    #: Link-local too, but led on to the public one, as by an agent of a cloud.
    redirected: str
    #: Link-local, and this machine's own.
    local: str


@contextmanager
def neighbour() -> Iterator[Neighbour]:
    """Such a machine, for as long as it is needed."""
    name, third = f"n{secrets.token_hex(4)}", secrets.randbelow(200) + 20
    known = Neighbour(f"203.0.113.{third}", *(f"169.254.{third}.{last}" for last in (1, 2, 3)))
    with ExitStack() as undo:
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        undo.callback(_end, holder)
        _until_it_has_its_own(holder.pid)
        _link(name, holder.pid, known)
        undo.callback(_run, "ip", "link", "del", name)
        redirect = ["-d", known.redirected, "-j", "DNAT", "--to", known.public]
        nat = ["iptables", "--wait", "-t", "nat"]
        _run(*nat, "-I", "PREROUTING", *redirect)
        undo.callback(_run, *nat, "-D", "PREROUTING", *redirect)
        for within, address in ((_within(holder.pid), "0.0.0.0"), ([], known.local)):
            undo.callback(_end, _serve(within, address))
        yield known


def _link(name: str, pid: int, known: Neighbour) -> None:
    """A cable to it, with an address of ours at this end."""
    _run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    _run("ip", "addr", "add", f"{known.local}/32", "dev", name)
    _run("ip", "link", "set", name, "up")
    for address in (known.public, known.link_local):
        _run("ip", "route", "add", f"{address}/32", "dev", name)
        _run(*_within(pid), "ip", "addr", "add", f"{address}/32", "dev", "eth0")
    _run(*_within(pid), "ip", "link", "set", "eth0", "up")
    _run(*_within(pid), "ip", "route", "add", "default", "dev", "eth0")


def _within(pid: int) -> list[str]:
    return ["nsenter", f"--net=/proc/{pid}/ns/net"]


def _serve(within: list[str], address: str) -> subprocess.Popen[str]:
    service = subprocess.Popen(
        [*within, sys.executable, "-c", _SERVE, address, str(PORT)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert service.stdout
    assert service.stdout.readline() == "serves\n"
    return service


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _until_it_has_its_own(pid: int) -> None:
    mine = Path("/proc/self/ns/net").readlink()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}/ns/net").readlink() == mine:
        assert time.monotonic() < deadline
        time.sleep(0.01)
