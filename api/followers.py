"""Followers of deployments and of events: one poll wakes all, and they share what is read.

A change that this process writes wakes its followers at once. Changes by others (the control
worker, another API) are found by one query for all followed deployments, and one for the events.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import structlog

from aweigh.core.errors import Unavailable
from aweigh.deployments.deployment import DeploymentState
from aweigh.store import events
from aweigh.store.database import Store
from aweigh.store.deployments import DeploymentProgress, progress

T = TypeVar("T")

#: Seconds between two polls, by the age of the youngest follower: a short deployment is reported
#: without delay, and long waits are cheap.
_SHORTEST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5
_PAUSE_BY_AGE: Final = 0.05
#: All woken followers are answered before the next poll wakes others.
_PAUSE_BY_FOLLOWER: Final = 0.0002
_READERS: Final = 4
#: Followed like a deployment: the events of all deployments.
EVENTS: Final = "events"

_log = structlog.get_logger(__name__)


@dataclass
class Followed:
    """A deployment, or the events, with at least one follower."""

    followers: int = 0
    youngest: float = 0.0
    #: Counts the changes: what was read before one is not shared after it.
    generation: int = 0
    #: Of a deployment its progress, of the events the newest id.
    state: DeploymentProgress | int | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_ended(self) -> bool:
        """Whether the deployment has ended, or its record was deleted since."""
        if self.state is None:
            return self.generation > 0
        return (
            isinstance(self.state, DeploymentProgress) and DeploymentState(self.state.state).ended
        )

    def wake(self) -> None:
        self.generation += 1
        self.changed.set()
        self.changed = asyncio.Event()


class Followers:
    def __init__(self, store: Store, most: int) -> None:
        self.store = store
        self._most = most
        self._followed: dict[str, Followed] = {}
        self.followers = 0
        #: Set when the process stops: streams end, so that their readers reconnect.
        self.is_closed = False
        self._touched: set[str] = set()
        self._wake = asyncio.Event()
        self._reading = asyncio.Semaphore(_READERS)
        self._shared: dict[Hashable, asyncio.Task[Any]] = {}

    @property
    def is_full(self) -> bool:
        return self.followers >= self._most

    def check_capacity(self) -> None:
        """Raises: Unavailable: there are too many followers."""
        if self.is_full:
            raise Unavailable(
                f"{self.followers} callers follow deployments or events already; try again later"
            )

    @contextmanager
    def follow(self, subject: str) -> Iterator[Followed]:
        """Follow a deployment by its id, or EVENTS."""
        followed = self._followed.setdefault(subject, Followed())
        followed.followers += 1
        followed.youngest = time.monotonic()
        self.followers += 1
        self.touch(subject)
        try:
            yield followed
        finally:
            self.followers -= 1
            followed.followers -= 1
            if not followed.followers:
                del self._followed[subject]

    def touch(self, subject: str) -> None:
        """Wake the followers: this process changed the deployment."""
        if subject in self._followed:
            self._touched.add(subject)
            self._wake.set()

    def close(self) -> None:
        """End all streams."""
        self.is_closed = True
        for followed in self._followed.values():
            followed.wake()

    async def share(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """Return what is being read under this key, once for all concurrent callers."""
        task: asyncio.Task[T] | None = self._shared.get(key)
        if task is None:
            task = asyncio.create_task(self._read(read))
            self._shared[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    def _forget(self, key: Hashable, done: asyncio.Task[Any]) -> None:
        self._shared.pop(key, None)
        if not done.cancelled():
            done.exception()  # the callers may be gone

    async def _read(self, read: Callable[[], Awaitable[T]]) -> T:
        async with self.reading():
            return await read()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Limit concurrent reads, so that followers leave database connections to other calls."""
        async with self._reading:
            yield

    async def run(self) -> None:
        """Poll, wake and pause, for as long as the process runs."""
        while True:
            if not self._followed:
                await self._wake.wait()
            self._wake.clear()
            woken = 0
            try:
                woken = await self._poll()
            except Unavailable as error:
                _log.warning("followers wait for the database", error=str(error))
                await asyncio.sleep(_LONGEST_PAUSE)
            except Exception:  # noqa: BLE001 (all followers wait for this loop)
                _log.exception("polling for followers failed; it continues")
                await asyncio.sleep(_LONGEST_PAUSE)
            await asyncio.sleep(_SHORTEST_PAUSE + woken * _PAUSE_BY_FOLLOWER)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()

    def _pause(self) -> float:
        youngest = max((one.youngest for one in self._followed.values()), default=0.0)
        pause = (time.monotonic() - youngest) * _PAUSE_BY_AGE
        return min(max(pause, _SHORTEST_PAUSE), _LONGEST_PAUSE) - _SHORTEST_PAUSE

    async def _poll(self) -> int:
        """Wake the followers of what has changed; return their number."""
        touched, self._touched = self._touched, set()
        found: dict[str, DeploymentProgress | int] = {}
        async with self.store.read() as tx:
            if EVENTS in self._followed:
                found[EVENTS] = await events.newest(tx)
            if ids := self._followed.keys() - {EVENTS}:
                found.update(await progress(tx, ids))
        woken = 0
        for subject, followed in list(self._followed.items()):
            now = found.get(subject)
            if subject in touched or now != followed.state:
                followed.state = now
                followed.wake()
                woken += followed.followers
        return woken
