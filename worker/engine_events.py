"""What the engine tells of this installation's containers, as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from docker.errors import DockerException
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from aweigh.containers.spec import INSTANCE
from aweigh.servers.server import Server

_RECONNECT_SECONDS: Final = 1.0
#: As which the end of the stream, or of the engine, may arrive here.
_BROKEN: Final = (
    DockerException, RequestException, HTTPError, OSError, RuntimeError, ValueError,
)  # fmt: skip
_KINDS: Final = ("start", "die", "destroy")


@dataclass(frozen=True)
class Happened:
    """What happened to a container of this installation: `start`, `die` or `destroy`."""

    what: str
    labels: Mapping[str, str]


#: None: whatever happened until now was not seen.
Told = Callable[[Happened | None], None]


def follow(server: Server, told: Told) -> None:
    """Call it on this event loop for every event, for as long as the process lives."""
    loop = asyncio.get_running_loop()
    threading.Thread(target=_listen, args=(server, loop, told), daemon=True).start()


def _listen(server: Server, loop: asyncio.AbstractEventLoop, told: Told) -> None:
    """In a thread of its own: the stream ends without a word when the engine goes."""
    wanted = {
        "type": "container", "event": list(_KINDS), "label": f"{INSTANCE}={server.instance}",
    }  # fmt: skip
    while True:
        with contextlib.suppress(*_BROKEN):
            events = server.engine.client().events(filters=wanted, decode=True)
            loop.call_soon_threadsafe(told, None)
            for event in events:
                loop.call_soon_threadsafe(told, _read(event))
        threading.Event().wait(_RECONNECT_SECONDS)


def _read(event: Mapping[str, Any]) -> Happened:
    labels = (event.get("Actor") or {}).get("Attributes") or {}
    return Happened(str(event.get("Action")), dict(labels))
