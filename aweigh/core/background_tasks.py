"""Runs work for many subjects without letting one delay the others for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final

import structlog

_log = structlog.get_logger(__name__)

#: Longer than any work that does not wait for a program to end.
SECONDS: Final = 30.0


class BackgroundTasks:
    """Waits for each subject's work for a while, then lets it continue in the background."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def wait(self, subject: str, work: Callable[[], Coroutine[None, None, None]]) -> bool:
        """Start a subject's work, unless it is still running; return whether it ended in time.

        Errors within that time are raised; later ones are only logged.
        """
        if subject in self._tasks:
            return False
        task = self._tasks[subject] = asyncio.create_task(work())
        try:
            await asyncio.wait([task], timeout=self._seconds)
        finally:
            if not task.done():
                task.add_done_callback(partial(self._ended_late, subject))
            else:
                del self._tasks[subject]
        if task.done():
            task.result()
            return True
        _log.warning("still running, continued in the background", subject=subject)
        return False

    def _ended_late(self, subject: str, task: asyncio.Task[None]) -> None:
        del self._tasks[subject]
        if not task.cancelled() and (error := task.exception()):
            _log.error("failed in the background", subject=subject, error=repr(error))
