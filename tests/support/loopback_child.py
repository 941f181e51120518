"""The child process that sends a message, with every name resolved to a port of loopback.

`python -I tests/support/loopback_child.py PORT [ADDRESS...]`: so the hosts that apprise knows by
heart lead to a receiver of the test. The addresses are 127.0.0.1 if none are given.
"""

import socket
import sys
from typing import Any

from aweigh.notifications.senders.apprise_child import main

_resolve = socket.getaddrinfo


def _to_loopback(host: Any, port: Any, *args: Any, **options: Any) -> Any:
    port, *addresses = sys.argv[1:]
    return [
        found
        for address in addresses or ["127.0.0.1"]
        for found in _resolve(address, int(port), *args, **options)
    ]


if __name__ == "__main__":
    socket.getaddrinfo = _to_loopback
    main()
