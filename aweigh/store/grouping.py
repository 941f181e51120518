"""Several calls in one commit: beginning it, and syncing it to the disk, cost more than a call."""

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
#: How long one commit may take, as far as is known: whoever comes meanwhile waits for its end.
_SPAN_SECONDS: Final = 0.2
#: How fast what is known of a call's time follows what it is now.
_WEIGHT: Final = 0.2
CROWDED: Final = "too many calls wait to be taken; try again"


@dataclass(frozen=True, eq=False)
class _Call(Generic[Tx]):
    work: Callable[[Tx], Awaitable[Any]]
    done: "asyncio.Future[Any]"


class Group(Generic[Tx]):
    """Takes what has come up to now into one transaction.

    Where that fails it is undone and done once more, each in a savepoint of its own: savepoints
    cost a fifth of a call, and hardly any call fails after it has written something.
    """

    def __init__(
        self,
        write: Callable[[], AbstractAsyncContextManager[Tx]],
        alone: Callable[[Tx], AbstractAsyncContextManager[object]],
    ) -> None:
        """`write` begins a transaction, `alone` a part of it that is undone by itself."""
        self._write = write
        self._alone = alone
        self._waiting: deque[_Call[Tx]] = deque()
        self._taking: list[_Call[Tx]] = []
        self._working: asyncio.Task[None] | None = None
        self._seconds = 0.0
        self._last_call = -math.inf

    @property
    def is_busy(self) -> bool:
        return self._working is not None and not self._working.done()

    @property
    def seconds_since_call(self) -> float:
        """Since one came last."""
        return time.monotonic() - self._last_call

    @property
    def seconds_to_wait(self) -> float:
        """For a call that comes now, as far as is known."""
        return (len(self._taking) + len(self._waiting) + 1) * self._seconds

    def is_crowded(self, patience: float) -> bool:
        """Whether a call that comes now would wait for longer than this.

        Never so for the next one that is taken, or a wrong guess would not be put right any more.
        """
        return bool(self._waiting) and self.seconds_to_wait > patience

    async def run(self, work: Callable[[Tx], Awaitable[T]], patience: float) -> T:
        """What the work returns, once it is committed.

        Raises:
            Unavailable: too many wait, or the database does not answer; nothing was written.
        """
        self._last_call = time.monotonic()
        if self.is_crowded(patience):
            raise Unavailable(CROWDED)
        is_next = not self._waiting
        call = _Call(work, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if not self.is_busy:
            self._working = asyncio.create_task(self._work_off())
        if not is_next:
            await self._in_time(call, patience)
        result: T = await call.done
        return result

    async def _in_time(self, call: _Call[Tx], patience: float) -> None:
        """Raises: Unavailable: its turn did not come, though it was to be expected."""
        try:
            await asyncio.wait([call.done], timeout=patience)
        except asyncio.CancelledError:
            call.done.cancel()
            raise
        if call in self._waiting:
            self._waiting.remove(call)
            raise Unavailable(CROWDED)

    async def _work_off(self) -> None:
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(self._as_many_as_fit())]
            self._taking = [call for call in some if not call.done.done()]  # the others have gone
            if self._taking:
                began = time.monotonic()
                await self._take(self._taking)
                took = (time.monotonic() - began) / len(self._taking)
                self._seconds += (took - self._seconds) * _WEIGHT
        self._taking = []

    def _as_many_as_fit(self) -> int:
        fitting = int(_SPAN_SECONDS / self._seconds) if self._seconds else _MOST
        return min(max(fitting, 1), _MOST, len(self._waiting))

    async def _take(self, calls: list[_Call[Tx]]) -> None:
        try:
            outcomes = await self._together(calls) or await self._apart(calls)
        except Exception as error:  # noqa: BLE001 (each of them is told)
            outcomes = [error] * len(calls)
        for call, outcome in zip(calls, outcomes, strict=True):
            if call.done.done():
                continue
            if isinstance(outcome, Exception):
                call.done.set_exception(outcome)
            else:
                call.done.set_result(outcome)

    async def _together(self, calls: list[_Call[Tx]]) -> list[Any]:
        """What they returned; nothing where one of several has failed, and all are undone."""
        try:
            async with self._write() as tx:
                return [await call.work(tx) for call in calls]
        except Exception as error:
            if len(calls) == 1 or isinstance(error, Unavailable):
                raise
            return []

    async def _apart(self, calls: list[_Call[Tx]]) -> list[Any]:
        async with self._write() as tx:
            return [await self._outcome(tx, call) for call in calls]

    async def _outcome(self, tx: Tx, call: _Call[Tx]) -> Any:
        """What it returned, or the error that undid it alone."""
        try:
            async with self._alone(tx):
                return await call.work(tx)
        except Exception as error:  # noqa: BLE001 (its caller is told)
            return error
