"""Locks of a server, by name: one per application, and those of what applications share.

Each lock has two parts: one in the process, for its own tasks, and `flock`, against another process
with the same data. The kernel releases the locks of a killed process.
"""

import asyncio
import contextlib
import fcntl
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aweigh.core import grammar

_POLL_SECONDS: Final = 0.05


class Locks:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._tasks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def holding(self, name: str, *, patience: float | None = None) -> AsyncIterator[None]:
        """Hold a lock: an application's by its id, or a shared one (the proxy's, addresses,
        images, an application's builds). A shared one excludes no application's.

        Raises:
            ValueError: this cannot be the name of a lock.
            TimeoutError: another task or process held it for `patience` seconds.
        """
        path = self._directory / grammar.path_part(name)
        async with asyncio.timeout(patience):
            await self._tasks[name].acquire()
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                async with asyncio.timeout(patience):
                    await _flock(descriptor)
                yield
            finally:
                os.close(descriptor)
        finally:
            self._tasks[name].release()


async def _flock(descriptor: int) -> None:
    while True:
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        await asyncio.sleep(_POLL_SECONDS)  # a blocking call in a thread could not be cancelled
