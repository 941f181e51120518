"""Ports that are free, for what a test starts."""

import contextlib
import itertools
import os
import random
import socket
from collections.abc import Iterator

#: Below the range from which Linux takes the ports of outgoing connections.
_OUTSIDE = range(15_000, 32_000)
_SHARES = 8


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on just now, all different, and given to nobody else.

    None that the kernel would give: until it is listened on, a connection might get it. Each
    process of a run of tests has a share of them, and begins again only after the last one.
    """
    found: list[int] = []
    while len(found) < count:
        port = next(_ports)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("0.0.0.0", port))
            found.append(port)
    return found


def _share() -> Iterator[int]:
    """The ports of this process, from a random one: other runs of tests have the same ones."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = _OUTSIDE[number % _SHARES :: _SHARES]
    begin = random.randrange(len(ports))
    return itertools.cycle([*ports[begin:], *ports[:begin]])


_ports = _share()
