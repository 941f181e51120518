"""A process of the local stack: how it is started, watched and ended."""

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

from worker.process import give_way

_PR_SET_PDEATHSIG: Final = 1
#: Loaded before anything forks: a lock that another thread holds then stays held in the child.
_LIBC: Final = ctypes.CDLL(None)


class Starter:
    """Starts processes beside the event loop, which a busy machine would hold up for 0.3 s each.

    The kernel takes the end of the thread that started them for the end of their parent; so it is
    one thread, which lives as long as this does.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "starter")

    async def start(self, child: "Child") -> subprocess.Popen[bytes]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, child.popen)


@dataclass
class Child:
    """One process of the stack; started again when it dies, unless it says that it cannot start."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    #: Works off what the API takes in, and lets its callers come first.
    gives_way: bool = False
    started: float = field(default=0.0)
    _process: subprocess.Popen[bytes] | None = None
    #: Kept as long as its process: see there.
    _starter: Starter | None = None
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    #: Held until it is known which process it is: nothing that was started is left over.
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def pid(self) -> int | None:
        """Of its process, while that runs."""
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
                preexec_fn=_last if self.gives_way else _die_with_parent,
            )

    def _reap(self, process: subprocess.Popen[bytes], watch: int) -> None:
        asyncio.get_running_loop().remove_reader(watch)
        os.close(watch)
        process.wait()
        self._ended.set()

    async def wait(self) -> int:
        """Its exit code, once it has ended; 0: it was never started."""
        async with self._starting:
            if self._process is None:
                return 0
        await self._ended.wait()
        return self._process.returncode

    async def end(self, grace: float) -> None:
        """By force after the grace."""
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


def _last() -> None:
    _die_with_parent()
    give_way()


def _die_with_parent() -> None:
    """Ask the kernel to end this child when the stack is killed, so that nothing is left over."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
