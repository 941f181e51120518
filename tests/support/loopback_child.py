"""The child process that sends a message, with every name resolved to a port of loopback.

`python -I tests/support/loopback_child.py PORT SECONDS SCANNING [ADDRESS...]`: so the hosts that
apprise knows by heart lead to a receiver of the test. SECONDS and SCANNING are the child's limits.
The addresses are 127.0.0.1 if none are given; those after `then` are the next answer, and so on.
"""

import socket
import sys
from collections.abc import Iterator
from itertools import groupby, repeat
from typing import Any

from aweigh.notifications.senders import apprise_child, mail

_resolve = socket.getaddrinfo


def _answers(addresses: list[str]) -> Iterator[list[str]]:
    for _, group in groupby(addresses or ["127.0.0.1"], key=lambda one: one == "then"):
        if (answer := list(group)) != ["then"]:
            yield answer
    yield from repeat(answer)


_next_answer = _answers(sys.argv[4:])


def _to_loopback(host: Any, port: Any, *args: Any, **options: Any) -> Any:
    return [
        found
        for address in next(_next_answer)
        for found in _resolve(address, int(sys.argv[1]), *args, **options)
    ]


if __name__ == "__main__":
    socket.getaddrinfo = _to_loopback
    apprise_child.SECONDS = float(sys.argv[2])  # type: ignore[misc]
    mail.SCANNING = float(sys.argv[3])  # type: ignore[misc]
    apprise_child.main()
