"""The write lock of an SQLite database, which takes one writer at a time.

Within a process, urgent writers come before others, which do not starve. Between processes, urgent
writers try the lock on the database's directory often and others seldom. SQLite's own busy handler
sleeps for up to a tenth of a second at a time and keeps no order.
"""

import asyncio
import fcntl
import os
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DisconnectionError

from aweigh.core.errors import Unavailable

#: Seconds between two attempts to lock. A writer that has waited long counts as urgent.
_URGENT_PAUSE: Final = 0.0005
_PAUSE: Final = 0.01
_LONG: Final = 1.0
_TAKEN: Final = "the database is busy: other writers hold it"


class _Waiter:
    def __init__(self) -> None:
        self.since = time.monotonic()
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def has_waited_long(self) -> bool:
        return time.monotonic() - self.since > _LONG


class WriteLock:
    def __init__(self, path: Path, patience: float) -> None:
        self._directory = path.parent
        self._patience = patience
        self._lock: int | None = None
        self._taken = False
        self._urgent: deque[_Waiter] = deque()
        self._others: deque[_Waiter] = deque()

    @asynccontextmanager
    async def hold(self, *, urgent: bool) -> AsyncIterator[None]:
        """Raises: Unavailable: other writers have held the database for too long."""
        try:
            async with asyncio.timeout(self._patience):
                since = await self._within_process(self._urgent if urgent else self._others)
                try:
                    await self._between_processes(since, urgent=urgent)
                except BaseException:
                    self._pass_on()
                    raise
        except TimeoutError as error:
            raise Unavailable(_TAKEN) from error
        try:
            yield
        finally:
            if self._lock is not None:
                fcntl.flock(self._lock, fcntl.LOCK_UN)
            self._pass_on()

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _within_process(self, queue: deque[_Waiter]) -> float:
        """Wait for this process's turn; return the time when the wait began."""
        waiter = _Waiter()
        if not self._taken:
            self._taken = True
            return waiter.since
        queue.append(waiter)
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter in queue:
                queue.remove(waiter)
            elif not waiter.turn.cancelled():  # the turn was passed to it just now
                self._pass_on()
            raise
        return waiter.since

    def _pass_on(self) -> None:
        starving = bool(self._others) and self._others[0].has_waited_long
        for queue in (self._others, self._urgent) if starving else (self._urgent, self._others):
            while queue:
                waiter = queue.popleft()
                if not waiter.turn.done():  # one that has just been cancelled takes no turn
                    waiter.turn.set_result(None)
                    return
        self._taken = False

    async def _between_processes(self, since: float, *, urgent: bool) -> None:
        if self._lock is None:
            try:
                self._lock = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise DisconnectionError(str(error)) from error
        while True:
            try:
                return fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                hurry = urgent or time.monotonic() - since > _LONG
                await asyncio.sleep(_URGENT_PAUSE if hurry else _PAUSE)
