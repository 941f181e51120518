"""Bodies of deliveries: a sender that stops halfway does not block the others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from fastapi import HTTPException, Request

from aweigh.core.caller import caller_at
from aweigh.core.errors import Unavailable

#: Bytes of each body that are not counted. GitHub's deliveries hardly ever have more, and so there
#: is always room for them; the number of connections bounds how many there are.
SMALL: Final = 64 * 1024
#: What exceeds that, in all bodies, and in those of one caller, who may be GitHub.
_MOST: Final = 150 * 1024**2
_MOST_OF_ONE: Final = 100 * 1024**2
#: For a body, and within that for room while bodies that have arrived take all of it.
_BODY_SECONDS: Final = 30.0
_PATIENCE: Final = 5.0
_CROWDED: Final = "too many large deliveries come at once; send it again"


def is_small(headers: Mapping[str, str]) -> bool:
    """Whether a body says of itself that it is no longer than most."""
    length = headers.get("content-length", "0")
    return "transfer-encoding" not in headers and length.isdecimal() and int(length[:20]) <= SMALL


class _Body:
    def __init__(self, caller: str, time: asyncio.Timeout) -> None:
        self.caller = caller
        self.data = bytearray()
        self.counted = 0
        self.was_given_up = False
        self._time = time

    def take(self) -> bytes:
        data = bytes(self.data)
        self.data.clear()
        return data

    def give_up(self) -> None:
        """Make its reader fail, because the body takes too long to arrive."""
        self.was_given_up = True
        self.data.clear()
        self._time.reschedule(asyncio.get_running_loop().time())


class Bodies:
    """So many bytes in all; for more, the oldest body that has not arrived has to go."""

    def __init__(self, most: int = _MOST, most_of_one: int = _MOST_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._held: Counter[str] = Counter()
        #: Those of them that are counted, the oldest first.
        self._arriving: dict[_Body, None] = {}
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def of(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request, which has its room until the block ends.

        Raises:
            Unavailable: others need the room, or have all of it.
            HTTPException: it does not arrive.
        """
        time = asyncio.timeout(_BODY_SECONDS)
        body = _Body(caller_at(request.client.host if request.client else ""), time)
        try:
            yield await self._read(request, body, time)
        finally:
            self._free(body)

    async def _read(self, request: Request, body: _Body, time: asyncio.Timeout) -> bytes:
        try:
            async with time:
                async for piece in request.stream():
                    more = len(body.data) + len(piece) - SMALL - body.counted
                    if more > 0:
                        await self._make_room(body, more)
                    body.data += piece
        except TimeoutError as error:
            if body.was_given_up:
                raise Unavailable(_CROWDED) from error
            raise HTTPException(408, "The body did not arrive in time.") from error
        if body.was_given_up:
            raise Unavailable(_CROWDED)
        self._arriving.pop(body, None)
        return body.take()

    async def _make_room(self, body: _Body, more: int) -> None:
        """Count a body for so many bytes more."""
        self._arriving.setdefault(body)
        while not body.was_given_up and (victims := self._in_the_way(body, more)) is not None:
            if victims:
                victims[0].give_up()
                self._free(victims[0])
            else:
                await self._until_freed()
        if body.was_given_up:
            raise Unavailable(_CROWDED)
        body.counted += more
        self._held[body.caller] += more

    async def _until_freed(self) -> None:
        """Wait for a body that has arrived and is being looked at.

        Raises:
            Unavailable: that takes too long.
        """
        self._freed.clear()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._freed.wait()
        except TimeoutError as error:
            raise Unavailable(_CROWDED) from error

    def _in_the_way(self, body: _Body, more: int) -> list[_Body] | None:
        """Those others that have not arrived, the oldest first; None where there is room."""
        others = [one for one in self._arriving if one is not body]
        if self._held[body.caller] + more > self._most_of_one:
            return [one for one in others if one.caller == body.caller]
        return others if self._held.total() + more > self._most else None

    def _free(self, body: _Body) -> None:
        self._arriving.pop(body, None)
        self._held[body.caller] -= body.counted
        if not self._held[body.caller]:
            del self._held[body.caller]
        body.counted = 0
        self._freed.set()
