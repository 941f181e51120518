"""Several calls in one commit: beginning and syncing a transaction costs more than a call."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from aweigh.core.errors import Unavailable

T = TypeVar("T")
Tx = TypeVar("Tx")

_MOST: Final = 16
#: The estimated duration of one commit at most: calls that arrive meanwhile wait for its end.
_SPAN_SECONDS: Final = 0.2
#: The weight of the newest measurement in the estimated duration of a call.
_WEIGHT: Final = 0.2
OVERLOADED: Final = "too many calls are waiting; try again"


@dataclass(frozen=True, eq=False)
class _Call(Generic[Tx]):
    work: Callable[[Tx], Awaitable[Any]]
    done: "asyncio.Future[Any]"


class GroupCommit(Generic[Tx]):
    """Runs all waiting calls in one transaction.

    If one of them fails, the transaction is rolled back and every call runs again in a savepoint
    of its own. Savepoints cost a fifth of a call, and calls rarely fail after their first write.
    """

    def __init__(
        self,
        write: Callable[[], AbstractAsyncContextManager[Tx]],
        savepoint: Callable[[Tx], AbstractAsyncContextManager[object]],
    ) -> None:
        """`write` begins a transaction, `savepoint` a part of it that is rolled back by itself."""
        self._write = write
        self._savepoint = savepoint
        self._waiting: deque[_Call[Tx]] = deque()
        self._running: list[_Call[Tx]] = []
        self._worker: asyncio.Task[None] | None = None
        self._seconds = 0.0
        self._last_call = -math.inf

    @property
    def is_busy(self) -> bool:
        return self._worker is not None and not self._worker.done()

    @property
    def seconds_since_call(self) -> float:
        """Seconds since the last call arrived."""
        return time.monotonic() - self._last_call

    @property
    def seconds_to_wait(self) -> float:
        """The estimated wait of a call that arrives now."""
        return (len(self._running) + len(self._waiting) + 1) * self._seconds

    def is_overloaded(self, patience: float) -> bool:
        """Whether a call that arrives now would wait longer than `patience`.

        The next call in line is always accepted, so that a wrong estimate corrects itself.
        """
        return bool(self._waiting) and self.seconds_to_wait > patience

    async def run(self, work: Callable[[Tx], Awaitable[T]], patience: float) -> T:
        """Run the work and return its result after the commit.

        Raises:
            Unavailable: too many calls wait, or the database does not answer; nothing was written.
        """
        self._last_call = time.monotonic()
        if self.is_overloaded(patience):
            raise Unavailable(OVERLOADED)
        is_next = not self._waiting
        call = _Call(work, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if not self.is_busy:
            self._worker = asyncio.create_task(self._run_waiting())
        if not is_next:
            await self._wait_for_turn(call, patience)
        result: T = await call.done
        return result

    async def _wait_for_turn(self, call: _Call[Tx], patience: float) -> None:
        """Raises: Unavailable: the call did not start in time, against the estimate."""
        try:
            await asyncio.wait([call.done], timeout=patience)
        except asyncio.CancelledError:
            call.done.cancel()
            raise
        if call in self._waiting:
            self._waiting.remove(call)
            raise Unavailable(OVERLOADED)

    async def _run_waiting(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(self._batch_size())]
            self._running = [
                call for call in batch if not call.done.done()
            ]  # others were cancelled
            if self._running:
                began = time.monotonic()
                await self._run_batch(self._running)
                took = (time.monotonic() - began) / len(self._running)
                self._seconds += (took - self._seconds) * _WEIGHT
        self._running = []

    def _batch_size(self) -> int:
        fitting = int(_SPAN_SECONDS / self._seconds) if self._seconds else _MOST
        return min(max(fitting, 1), _MOST, len(self._waiting))

    async def _run_batch(self, calls: list[_Call[Tx]]) -> None:
        try:
            outcomes = await self._all_at_once(calls) or await self._one_by_one(calls)
        except Exception as error:  # noqa: BLE001 (every caller receives it)
            outcomes = [error] * len(calls)
        for call, outcome in zip(calls, outcomes, strict=True):
            if call.done.done():
                continue
            if isinstance(outcome, Exception):
                call.done.set_exception(outcome)
            else:
                call.done.set_result(outcome)

    async def _all_at_once(self, calls: list[_Call[Tx]]) -> list[Any]:
        """Return the results; an empty list if one of several calls failed and all rolled back."""
        try:
            async with self._write() as tx:
                return [await call.work(tx) for call in calls]
        except Exception as error:
            if len(calls) == 1 or isinstance(error, Unavailable):
                raise
            return []

    async def _one_by_one(self, calls: list[_Call[Tx]]) -> list[Any]:
        async with self._write() as tx:
            return [await self._outcome(tx, call) for call in calls]

    async def _outcome(self, tx: Tx, call: _Call[Tx]) -> Any:
        """Return the call's result, or the error that rolled back this call alone."""
        try:
            async with self._savepoint(tx):
                return await call.work(tx)
        except Exception as error:  # noqa: BLE001 (its caller receives it)
            return error
