"""How many messages to people are sent at a time, so that receivers that hang hold up no others."""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Pace(Enum):
    """How long a target took the last time."""

    UNKNOWN = "unknown"
    QUICK = "quick"
    SLOW = "slow"


#: Each takes up to 46 MB, as measured.
AT_ONCE: Final = 16
#: For all targets of one pace. Those found to be slow meanwhile may be more, and leave places to
#: the quick ones nevertheless.
OF_PACE: Final = {Pace.UNKNOWN: 4, Pace.QUICK: 8, Pace.SLOW: 6}
OF_TARGET: Final = {Pace.UNKNOWN: 1, Pace.QUICK: 4, Pace.SLOW: 4}
#: Targets whose pace is known.
REMEMBERED: Final = 1_000


@dataclass(frozen=True)
class _Waiter:
    target: str
    turn: asyncio.Future[None]


class Places:
    """`slow_seconds`: a target that takes longer is slow. `patience`: seconds to wait at most."""

    def __init__(self, *, slow_seconds: float = 5.0, patience: float = 180.0) -> None:
        self._slow_seconds = slow_seconds
        self._patience = patience
        self._paces: OrderedDict[str, Pace] = OrderedDict()
        #: The number of messages that are being sent to each target.
        self._sending: Counter[str] = Counter()
        #: In the order of their arrival.
        self._waiting: list[_Waiter] = []

    @asynccontextmanager
    async def take(self, target: str) -> AsyncIterator[None]:
        """Wait for a place; the time that it is held tells the target's pace.

        Raises:
            TimeoutError: there was none.
        """
        await self._wait(target)
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        found_slow = loop.call_later(self._slow_seconds, self._learn, target, Pace.SLOW)
        try:
            yield
        except asyncio.CancelledError:
            raise  # which says nothing about the target
        except BaseException:
            self._learn_from(target, time.monotonic() - began)
            raise
        else:
            self._learn_from(target, time.monotonic() - began)
        finally:
            found_slow.cancel()
            self._leave(target)

    async def _wait(self, target: str) -> None:
        waiter = _Waiter(target, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._admit()
        try:
            async with asyncio.timeout(self._patience):
                await waiter.turn
        except BaseException:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.turn.cancelled():  # admitted just now
                self._leave(target)
            raise

    def _admit(self) -> None:
        for waiter in list(self._waiting):
            if waiter.turn.done():  # it gave up just now
                self._waiting.remove(waiter)
            elif self._has_room(waiter.target):
                self._sending[waiter.target] += 1
                self._waiting.remove(waiter)
                waiter.turn.set_result(None)

    def _has_room(self, target: str) -> bool:
        pace = self._pace(target)
        of_pace = sum(number for one, number in self._sending.items() if self._pace(one) is pace)
        return (
            self._sending.total() < AT_ONCE
            and of_pace < OF_PACE[pace]
            and self._sending[target] < OF_TARGET[pace]
        )

    def _leave(self, target: str) -> None:
        self._sending[target] -= 1
        if not self._sending[target]:
            del self._sending[target]
        self._admit()

    def _pace(self, target: str) -> Pace:
        return self._paces.get(target, Pace.UNKNOWN)

    def _learn_from(self, target: str, seconds: float) -> None:
        self._learn(target, Pace.SLOW if seconds > self._slow_seconds else Pace.QUICK)

    def _learn(self, target: str, pace: Pace) -> None:
        self._paces[target] = pace
        self._paces.move_to_end(target)
        if len(self._paces) > REMEMBERED:
            self._paces.popitem(last=False)
        self._admit()
