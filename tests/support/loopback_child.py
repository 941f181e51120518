"""The child process that sends a message, with every name resolved to a port of loopback.

`python -I tests/support/loopback_child.py PORT`: so the hosts that apprise knows by heart lead to a
receiver of the test.
"""

import socket
import sys
from typing import Any

from aweigh.notifications.senders.apprise_child import main

_resolve = socket.getaddrinfo


def _to_loopback(host: Any, port: Any, *args: Any, **options: Any) -> Any:
    return _resolve("127.0.0.1", int(sys.argv[1]), *args, **options)


if __name__ == "__main__":
    socket.getaddrinfo = _to_loopback
    main()
