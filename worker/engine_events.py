"""The engine's events about this installation's containers."""

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

from aweigh.engine.engine import Engine
from aweigh.engine.labels import INSTANCE

_RECONNECT_SECONDS: Final = 1.0
#: Errors that the end of the stream, or of the engine, can raise.
_BROKEN: Final = (
    DockerException, RequestException, HTTPError, OSError, RuntimeError, ValueError,
)  # fmt: skip
_KINDS: Final = ("start", "die", "destroy")


@dataclass(frozen=True)
class EngineEvent:
    """An event of a container of this installation: `start`, `die` or `destroy`."""

    what: str
    labels: Mapping[str, str]


#: None means that earlier events may have been missed.
Take = Callable[[EngineEvent | None], None]


def follow(engine: Engine, instance: str, take: Take) -> None:
    """Call `take` in this event loop for every event, for the life of the process."""
    loop = asyncio.get_running_loop()
    threading.Thread(target=_listen, args=(engine, instance, loop, take), daemon=True).start()


def _listen(engine: Engine, instance: str, loop: asyncio.AbstractEventLoop, take: Take) -> None:
    """Read events, in a thread; the stream ends without an error when the engine stops."""
    wanted = {
        "type": "container", "event": list(_KINDS), "label": f"{INSTANCE}={instance}",
    }  # fmt: skip
    while True:
        with contextlib.suppress(*_BROKEN):
            events = engine.client().events(filters=wanted, decode=True)
            loop.call_soon_threadsafe(take, None)
            for event in events:
                loop.call_soon_threadsafe(take, _read(event))
        threading.Event().wait(_RECONNECT_SECONDS)


def _read(event: Mapping[str, Any]) -> EngineEvent:
    labels = (event.get("Actor") or {}).get("Attributes") or {}
    return EngineEvent(str(event.get("Action")), dict(labels))
