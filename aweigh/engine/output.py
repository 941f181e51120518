"""Reads a running container's output by line, from where an earlier reader stopped."""

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

from aweigh.core.text import CUT
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import BuildLost
from aweigh.engine.container import Container
from aweigh.engine.engine import Engine

_GATHER_SECONDS: Final = 0.05
#: Lines that are read ahead; after that, a faster writer waits.
_AHEAD: Final = 2000
#: Maximum length of a line, which a program may never end; the rest is dropped.
_LONGEST_BYTES: Final = 8 * 1024
#: Size of a batch: processed in a moment, even if a program prints without end.
_BATCH_CHARACTERS: Final = 32 * 1024
_PUT_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Line:
    at: str  # by the engine's clock, RFC 3339 with nanoseconds; increases from line to line
    text: str


class Output:
    """The output of one container, both streams in order."""

    def __init__(self, engine: Engine, container: str) -> None:
        self._engine = engine
        self._container = container

    async def lines(self, after: str = "") -> AsyncIterator[list[Line]]:
        """Yield everything written later than `after`, in batches, until the container ends.

        The stream ends early, without an error, if the engine stops, and may miss the last lines of
        a container that ends. Then read again after the last line.
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
                # Also with more to read, so that other tasks get their turn.
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
            pass  # the caller asks for the container next, and gets the error
        finally:
            _put(found, None, stopped)


def _put(found: "queue.Queue[Line | None]", line: Line | None, stopped: threading.Event) -> bool:
    """Wait for room; return False if the reader has stopped."""
    while not stopped.is_set():
        try:
            found.put(line, timeout=_PUT_SECONDS)
        except queue.Full:
            continue
        return True
    return False


#: Receives a container's output in batches.
Tell = Callable[[list[Line]], None]


async def read_to_the_end(engine: Engine, container: str, after: str, tell: Tell) -> Container:
    """Pass all output later than `after` to `tell`; return the container once it has ended.

    Raises:
        BuildLost: the container is gone.
    """
    while True:
        # Before reading: the output is complete only if the container had ended by then.
        found = await engine.container(container)
        async for batch in Output(engine, container).lines(after):
            tell(batch)
            after = batch[-1].at
        if found is None:
            raise BuildLost(Reason.BUILD_FAILED, f"{container} was removed by another program.")
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
        # No line is lost between equal times: the engine gives each line its own time, and each 16
        # KiB piece of a longer line.
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
    """Return an earlier time, because the engine's filter is coarser than its timestamps."""
    if not after:
        return None
    seconds = datetime.fromisoformat(after[:19]).replace(tzinfo=UTC).timestamp()
    return seconds + float(f"0{after[19:].rstrip('Z') or '.0'}") - 0.001
