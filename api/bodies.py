"""Bodies of deliveries, bounded in memory; a stalled sender does not block the others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from fastapi import HTTPException, Request

from aweigh.core.caller import caller_at
from aweigh.core.errors import Unavailable

#: The bytes of each body that are not counted. GitHub's deliveries rarely exceed it, so they always
#: fit; the number of connections bounds their sum.
SMALL: Final = 64 * 1024
#: The counted bytes of all bodies, and of one caller's, which may be GitHub.
_MOST: Final = 150 * 1024**2
_MOST_OF_ONE: Final = 100 * 1024**2
#: The time for a body to arrive, and within it the wait for memory of bodies being verified.
_BODY_SECONDS: Final = 30.0
_PATIENCE: Final = 5.0
_CROWDED: Final = "too many large deliveries arrive at once; send it again"


def is_small(headers: Mapping[str, str]) -> bool:
    """Whether the `Content-Length` of a body is within the uncounted bytes."""
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
        """Fail its reader: the body takes too long to arrive."""
        self.was_given_up = True
        self.data.clear()
        self._time.reschedule(asyncio.get_running_loop().time())


class Bodies:
    """Bounds the bytes of all bodies; at the bound, the oldest unfinished body is dropped."""

    def __init__(self, most: int = _MOST, most_of_one: int = _MOST_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._held: Counter[str] = Counter()
        #: The counted bodies that have not arrived, the oldest first.
        self._arriving: dict[_Body, None] = {}
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def of(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the body of a request; its bytes count until the block ends.

        Raises:
            Unavailable: other bodies use all memory, or this one was dropped for them.
            HTTPException: the body does not arrive in time.
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
        """Count more bytes for a body, once they fit."""
        self._arriving.setdefault(body)
        while not body.was_given_up and (victims := self._victims(body, more)) is not None:
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
        """Wait until a body that has arrived is verified.

        Raises:
            Unavailable: it takes too long.
        """
        self._freed.clear()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._freed.wait()
        except TimeoutError as error:
            raise Unavailable(_CROWDED) from error

    def _victims(self, body: _Body, more: int) -> list[_Body] | None:
        """Return the bodies to drop, the oldest first; None if the bytes fit."""
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
