"""Several calls at the same time, each in its own transaction; further ones wait in line."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Generic, TypeVar

from aweigh.core.errors import Unavailable
from aweigh.store.transactions.group_commit import OVERLOADED

T = TypeVar("T")
Tx = TypeVar("Tx")

#: The weight of the newest measurement in the estimated duration of a call.
_WEIGHT: Final = 0.2


class ConcurrentCalls(Generic[Tx]):
    """Runs calls at once for a database that takes many writers.

    The line is here and not at the pool of connections, so that a call's wait can be estimated, and
    so that waiting calls leave connections for everything else.
    """

    def __init__(self, write: Callable[[], AbstractAsyncContextManager[Tx]], at_once: int) -> None:
        """`write` begins a transaction; at most `at_once` of them run."""
        self._write = write
        self._at_once = at_once
        self._places = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._running = 0
        self._seconds = 0.0
        self._last_call = -math.inf

    @property
    def is_busy(self) -> bool:
        """Whether calls wait."""
        return self._waiting > 0

    @property
    def seconds_since_call(self) -> float:
        """Seconds since the last call arrived."""
        return time.monotonic() - self._last_call

    def is_overloaded(self, patience: float) -> bool:
        """Whether a call that arrives now would wait longer than `patience`.

        The next call in line is not refused, so that a wrong estimate corrects itself.
        """
        calls = self._running + self._waiting + 1
        return self._waiting > 0 and calls * self._seconds / self._at_once > patience

    async def run(self, work: Callable[[Tx], Awaitable[T]], patience: float) -> T:
        """Run the work and return its result after the commit.

        Raises:
            Unavailable: too many calls wait, or the database does not answer; nothing was written.
        """
        self._last_call = time.monotonic()
        if self.is_overloaded(patience):
            raise Unavailable(OVERLOADED)
        async with self._place(patience), self._measured(), self._write() as tx:
            return await work(tx)

    @asynccontextmanager
    async def _place(self, patience: float) -> AsyncIterator[None]:
        """Raises: Unavailable: the call did not start in time, against the estimate."""
        self._waiting += 1
        try:
            async with asyncio.timeout(patience):
                await self._places.acquire()
        except TimeoutError as error:
            raise Unavailable(OVERLOADED) from error
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()

    @asynccontextmanager
    async def _measured(self) -> AsyncIterator[None]:
        began = time.monotonic()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            took = time.monotonic() - began
            self._seconds += (took - self._seconds) * _WEIGHT
