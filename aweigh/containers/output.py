"""What a container writes, line by line while it runs, from where an earlier reader stopped."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import docker
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from aweigh.containers.engine import Container, Engine
from aweigh.core.errors import BuildLost
from aweigh.core.text import CUT
from aweigh.deployments.deployment import Reason

_GATHER_SECONDS: Final = 0.05
#: Lines that wait for the reader; a writer that is quicker waits too.
_AHEAD: Final = 2000
#: Of one line; more of it is not kept, for whoever prints it may never end it.
_LONGEST_BYTES: Final = 8 * 1024
#: What is handed on at once: as much as takes a moment, whoever prints without end.
_BATCH_CHARACTERS: Final = 32 * 1024
_PUT_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Line:
    at: str  # by the engine's clock, RFC 3339 with nanoseconds; grows from line to line
    text: str


class Output:
    """The output of one container, both streams in their order."""

    def __init__(self, engine: Engine, container: str) -> None:
        self._engine = engine
        self._container = container

    async def lines(self, after: str = "") -> AsyncIterator[list[Line]]:
        """Everything written later than `after`, in batches, until the container ends.

        The stream may end early, without a word, when the engine does, and it may miss the last
        words of a container that ends: ask again for what came after the last line.
        """
        found: queue.Queue[Line | None] = queue.Queue(_AHEAD)
        stopped, all_read = threading.Event(), asyncio.Event()
        reader = asyncio.create_task(asyncio.to_thread(self._read, after, found, stopped))
        reader.add_done_callback(lambda _: all_read.set())
        try:
            while True:
                batch, ended = _drained(found)
                if batch:
                    yield batch
                if ended:
                    return
                # Also where there is more: everything else shall have its turn.
                await asyncio.sleep(0)
                if not batch:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(all_read.wait(), _GATHER_SECONDS)
        finally:
            stopped.set()
            reader.cancel()

    def _read(
        self, after: str, found: "queue.Queue[Line | None]", stopped: threading.Event
    ) -> None:
        try:
            for line in _following(self._engine.client(), self._container, after):
                if not _put(found, line, stopped):
                    return
        except (DockerException, RequestException, HTTPError, NotFound):
            pass  # whoever reads asks for the container next, and hears what is wrong
        finally:
            _put(found, None, stopped)


def _put(found: "queue.Queue[Line | None]", line: Line | None, stopped: threading.Event) -> bool:
    """Wait for room, unless nobody reads any more."""
    while not stopped.is_set():
        try:
            found.put(line, timeout=_PUT_SECONDS)
        except queue.Full:
            continue
        return True
    return False


#: What reads a container's output, batch by batch.
Tell = Callable[[list[Line]], None]


async def read_to_the_end(engine: Engine, container: str, after: str, tell: Tell) -> Container:
    """Tell of all output later than `after`, and return the container once it has ended.

    Raises:
        BuildLost: it is gone.
    """
    while True:
        # Looked at first: only what is read of one that had ended by then is all of it.
        found = await engine.container(container)
        async for batch in Output(engine, container).lines(after):
            tell(batch)
            after = batch[-1].at
        if found is None:
            raise BuildLost(Reason.BUILD_FAILED, f"{container} was removed by somebody.")
        if not found.running:
            return found


def _drained(found: "queue.Queue[Line | None]") -> tuple[list[Line], bool]:
    batch: list[Line] = []
    room = _BATCH_CHARACTERS
    while room > 0:
        try:
            line = found.get_nowait()
        except queue.Empty:
            return batch, False
        if line is None:
            return batch, True
        batch.append(line)
        room -= len(line.text) + 1
    return batch, False


def _following(client: docker.APIClient, container: str, after: str) -> Iterable[Line]:
    stream = client.logs(
        container, stream=True, follow=True, timestamps=True, since=_shortly_before(after)
    )
    at, begun = "", b""
    for chunk in stream:
        stamp, _, text = chunk.partition(b" ")
        at = stamp.decode()
        if at <= after:
            continue
        # Of one instant, none is missing: the engine gives each line its own, and each piece of a
        # line that is longer than the 16 KiB it takes at once.
        begun += text[: _LONGEST_BYTES + 1 - len(begun)]
        if text.endswith(b"\n"):
            yield Line(at, _text(begun))
            begun = b""
    if begun:
        yield Line(at, _text(begun))


def _text(line: bytes) -> str:
    whole = line.removesuffix(b"\n")
    text = whole[:_LONGEST_BYTES].decode(errors="replace")
    return text if len(whole) <= _LONGEST_BYTES else text + CUT


def _shortly_before(after: str) -> float | None:
    """The engine's filter is coarser than its timestamps."""
    if not after:
        return None
    seconds = datetime.fromisoformat(after[:19]).replace(tzinfo=UTC).timestamp()
    return seconds + float(f"0{after[19:].rstrip('Z') or '.0'}") - 0.001
