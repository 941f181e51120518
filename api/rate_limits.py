"""Rate limits of failed authentication: by address, and by webhook at GitHub's addresses.

Only failures count, so that a busy caller is never slowed down. A caller that was accepted before
is accepted again although others at the same address, such as a web server's, fail.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final
from weakref import WeakValueDictionary

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

#: The number of accepted credentials that are remembered.
_MOST_KNOWN: Final = 10_000
#: The number of webhooks at one address, such as GitHub's, that may each fail like an address.
_WEBHOOKS_OF_ONE: Final = 20


class FailureLimits:
    """The failures of the last minute, and the credentials that were accepted."""

    def __init__(self, failures_a_minute: int) -> None:
        self._most = failures_a_minute
        self._storage = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._item = RateLimitItemPerMinute(max(failures_a_minute, 1))
        self._deliveries = RateLimitItemPerMinute(max(failures_a_minute, 1) * _WEBHOOKS_OF_ONE)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def lock_of(self, address: str) -> asyncio.Lock:
        """Return the lock that is held while an unknown caller at the address is authenticated.

        So a failure counts before the next caller may try, however many arrive at once.
        """
        return self._locks.setdefault(address, asyncio.Lock())

    async def seconds_to_wait(self, address: str, credential: bytes, *, webhook: bool) -> int:
        """Return the seconds until the caller may try; 0 if it may try now."""
        if not self._most or self.knows(credential):
            return 0
        for item, key in self._counted(address, credential, webhook=webhook):
            if not await self._limiter.test(item, key):
                window = await self._limiter.get_window_stats(item, key)
                return max(math.ceil(window.reset_time - time.time()), 1)
        return 0

    def knows(self, credential: bytes) -> bool:
        """Whether the credential was accepted when it was last presented."""
        return credential in self._known

    async def count_failure(self, address: str, credential: bytes, *, webhook: bool) -> None:
        self._known.pop(credential, None)
        if not self._most:
            return
        for item, key in self._counted(address, credential, webhook=webhook):
            if not await self._limiter.hit(item, key):
                return  # bounds the number of claimed webhooks that are kept

    def _counted(
        self, address: str, credential: bytes, *, webhook: bool
    ) -> Iterator[tuple[RateLimitItem, str]]:
        """Yield the limits that a failure counts for.

        Anybody may have a webhook at GitHub's addresses, so a webhook's failures are its own.
        """
        if not webhook:
            yield self._item, address
            return
        yield self._deliveries, f"deliveries {address}"
        yield self._item, f"deliveries {address} {credential.hex()}"

    def remember(self, credential: bytes) -> None:
        if not credential:
            return
        self._known[credential] = None
        self._known.move_to_end(credential)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def close(self) -> None:
        if self._storage.timer:
            self._storage.timer.cancel()
