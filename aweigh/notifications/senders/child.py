"""Runs the child processes that send messages, not too many at a time."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aweigh.notifications.senders.child_messages import Order, Report

_COMMAND: Final = (sys.executable, "-I", "-m", "aweigh.notifications.senders.apprise_child")
#: The child ends by itself: after 15 seconds, and those that a mail's server may take with it.
_SECONDS: Final = 90.0
_AT_ONCE: Final = 16
#: Children for one target, so that one that hangs leaves room for the others; a single one until it
#: is known whether it does.
_FOR_ONE: Final = 4
#: Children for all targets that took longer than this at last, so that many that hang do, too.
_FOR_SLOW: Final = _AT_ONCE // 2
_SLOW_SECONDS: Final = 5.0
_MOST_REPORTED: Final = 256 * 1024
#: Where OpenSSL looks for certificates; nothing else of the environment is passed on.
_PASSED_ON: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class ChildFailed(Exception):
    """The child ended without a report."""


@dataclass
class _Target:
    slots: asyncio.Semaphore
    users: int = 0


class Children:
    """`command`: the program that takes an order and prints a report.

    `slow_seconds`: a target that takes longer shares fewer places with others like it.
    """

    def __init__(
        self,
        command: Sequence[str] = _COMMAND,
        *,
        seconds: float = _SECONDS,
        slow_seconds: float = _SLOW_SECONDS,
    ) -> None:
        self._command = tuple(command)
        self._seconds = seconds
        self._slow_seconds = slow_seconds
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._slow_slots = asyncio.Semaphore(_FOR_SLOW)
        #: What is known of each target.
        self._is_slow: dict[str, bool] = {}
        self._of_targets: dict[str, _Target] = {}

    async def send(self, target: str, order: Order) -> Report:
        """Run a child. `target`: what the message goes to, as far as it may hang by itself.

        Raises:
            ChildFailed
        """
        async with self._slot(target):
            while not self._is_slow.get(target):
                async with self._slots:
                    if not self._is_slow.get(target):  # which others may have found meanwhile
                        return await self._timed(target, order)
            async with self._slow_slots, self._slots:
                return await self._timed(target, order)

    async def _timed(self, target: str, order: Order) -> Report:
        """Run a child, and remember whether its target is slow."""
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        found_slow = loop.call_later(self._slow_seconds, self._learn, target, True)
        try:
            return await self._run(order)
        finally:
            found_slow.cancel()
            self._learn(target, time.monotonic() - began > self._slow_seconds)

    def _learn(self, target: str, is_slow: bool) -> None:
        if target not in self._is_slow:
            for _ in range(_FOR_ONE - 1):
                self._of_targets[target].slots.release()
        self._is_slow[target] = is_slow

    @asynccontextmanager
    async def _slot(self, target: str) -> AsyncIterator[None]:
        if target not in self._of_targets:
            places = _FOR_ONE if target in self._is_slow else 1
            self._of_targets[target] = _Target(asyncio.Semaphore(places))
        of_target = self._of_targets[target]
        of_target.users += 1
        try:
            async with of_target.slots:
                yield
        finally:
            of_target.users -= 1
            if not of_target.users:
                del self._of_targets[target]

    async def _run(self, order: Order) -> Report:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            env={"LANG": "C.UTF-8"} | {key: os.environ[key] for key in _PASSED_ON
                                       if key in os.environ},
            cwd="/",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._seconds):
                said, _ = await process.communicate(json.dumps(order).encode())
        except TimeoutError:
            raise ChildFailed(f"took more than {self._seconds:g} seconds") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        try:
            return Report(**json.loads(said[:_MOST_REPORTED]))
        except (ValueError, TypeError) as error:
            raise ChildFailed(f"ended with code {process.returncode}") from error
