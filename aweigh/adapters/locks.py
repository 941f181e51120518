"""Locks of a server: one per application, one for the whole server.

Each is held twice: in the process, for its own tasks, and by `flock`, against another process
that serves the same data. The kernel lets go of a killed process's locks.
"""

import asyncio
import fcntl
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aweigh.adapters.threads import in_thread


class Locks:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._tasks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def holding(self, name: str, *, patience: float | None = None) -> AsyncIterator[None]:
        """Hold the lock of that name: an application's id, or `server` for all of them.

        Raises:
            TimeoutError: another task of this process held it for `patience` seconds.
        """
        async with asyncio.timeout(patience):
            await self._tasks[name].acquire()
        try:
            descriptor = os.open(self._directory / name, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                await _flock(descriptor)
                yield
            finally:
                os.close(descriptor)
        finally:
            self._tasks[name].release()


async def _flock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        await in_thread(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX))
