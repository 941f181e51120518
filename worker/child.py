"""A process of the local stack: its start, its supervision and its stop."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from worker.process import lower_priority

_PR_SET_PDEATHSIG: Final = 1
#: Loaded before any fork: a lock that another thread holds would stay held in the child.
_LIBC: Final = ctypes.CDLL(None)


class Starter:
    """Starts processes in a thread, because each start can block the event loop for 0.3 s.

    For the kernel, a process's parent has died when the thread that started it ends. So a single
    thread is used, which lives as long as this object.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "starter")

    async def start(self, child: "Child") -> subprocess.Popen[bytes]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, child.popen)


@dataclass
class Child:
    """One process of the stack, and its successors after restarts."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    #: Gives the API precedence on a busy machine.
    low_priority: bool = False
    started: float = field(default=0.0)
    _process: subprocess.Popen[bytes] | None = None
    #: Kept as long as the process: its thread must not end.
    _starter: Starter | None = None
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    #: Held until the process id is known, so that `end` does not miss a process that is starting.
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def pid(self) -> int | None:
        """The process id, while the process runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self, starter: Starter) -> None:
        async with self._starting:
            self._starter = starter
            self._process = await starter.start(self)
            self.started = time.monotonic()
            self._ended.clear()
            watch = os.pidfd_open(self._process.pid)
            asyncio.get_running_loop().add_reader(watch, self._reap, self._process, watch)

    def popen(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_prepare_at_low_priority if self.low_priority else _die_with_parent,
            )

    def _reap(self, process: subprocess.Popen[bytes], watch: int) -> None:
        asyncio.get_running_loop().remove_reader(watch)
        os.close(watch)
        process.wait()
        self._ended.set()

    async def wait(self) -> int:
        """Return the exit code after the process's end; 0 if it was never started."""
        async with self._starting:
            if self._process is None:
                return 0
        await self._ended.wait()
        return self._process.returncode

    async def end(self, grace: float) -> None:
        """Stop the process, by force after `grace` seconds."""
        async with self._starting:
            self._send(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self.wait()
        except TimeoutError:
            self._send(signal.SIGKILL)
            await self.wait()

    def _send(self, one: signal.Signals) -> None:
        if pid := self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, one)


def _prepare_at_low_priority() -> None:
    _die_with_parent()
    lower_priority()


def _die_with_parent() -> None:
    """Ask the kernel to stop this process when the stack is killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
