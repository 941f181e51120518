"""What a container writes, line by line while it runs, from where an earlier reader stopped."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import docker
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from aweigh.adapters.engine import Container, Engine
from aweigh.domain.deployment import Reason
from aweigh.domain.errors import StepUnavailable

_GATHER_SECONDS: Final = 0.05
#: Lines that wait for the reader; a writer that is quicker waits too.
_AHEAD: Final = 20_000


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

        The stream may end early, without a word, when the engine does: ask for the container, and
        again for what came after the last line.
        """
        found: queue.Queue[Line | None] = queue.Queue(_AHEAD)
        stopped = threading.Event()
        reader = asyncio.create_task(asyncio.to_thread(self._read, after, found, stopped))
        try:
            while True:
                batch, ended = _drained(found)
                if batch:
                    yield batch
                if ended:
                    return
                if not batch:
                    await asyncio.sleep(_GATHER_SECONDS)
        finally:
            stopped.set()
            reader.cancel()

    def _read(
        self, after: str, found: "queue.Queue[Line | None]", stopped: threading.Event
    ) -> None:
        try:
            for line in _following(self._engine.client(), self._container, after):
                if stopped.is_set():
                    return
                found.put(line)
        except (DockerException, RequestException, HTTPError, NotFound):
            pass  # whoever reads asks for the container next, and hears what is wrong
        finally:
            found.put(None)


#: What reads a container's output, batch by batch.
Tell = Callable[[list[Line]], None]


async def read_to_the_end(engine: Engine, container: str, after: str, tell: Tell) -> Container:
    """Tell of all output later than `after`, and return the container once it has ended.

    Raises:
        StepUnavailable: it is gone.
    """
    while True:
        async for batch in Output(engine, container).lines(after):
            tell(batch)
            after = batch[-1].at
        found = await engine.container(container)
        if found is None:
            raise StepUnavailable(Reason.BUILD_FAILED, f"{container} was removed by somebody.")
        if not found.running:
            return found


def _drained(found: "queue.Queue[Line | None]") -> tuple[list[Line], bool]:
    batch: list[Line] = []
    while True:
        try:
            line = found.get_nowait()
        except queue.Empty:
            return batch, False
        if line is None:
            return batch, True
        batch.append(line)


def _following(client: docker.APIClient, container: str, after: str) -> Iterable[Line]:
    stream = client.logs(
        container, stream=True, follow=True, timestamps=True, since=_shortly_before(after)
    )
    for chunk in stream:
        at, _, text = chunk.decode(errors="replace").partition(" ")
        if at > after:  # of one instant, none is missing: the engine gives each line its own
            yield Line(at, text.rstrip("\n"))


def _shortly_before(after: str) -> float | None:
    """The engine's filter is coarser than its timestamps."""
    if not after:
        return None
    seconds = datetime.fromisoformat(after[:19]).replace(tzinfo=UTC).timestamp()
    return seconds + float(f"0{after[19:].rstrip('Z') or '.0'}") - 0.001
