"""Connections to public addresses only, checked at the moment of connecting.

The name is resolved once, and the connection goes to the very address that was checked: a name
server that answers differently the next time gains nothing.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import httpcore2

from aweigh.core.address_rules import may_reach
from aweigh.core.private_target import PrivateTarget

#: Name servers that do not answer must not take the threads of other work.
_THREADS: Final = 16
#: For all addresses of a host but the last: one that drops packets must not use up the attempt.
_FIRST_SECONDS: Final = 4.0

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class TargetRefused(Exception):
    """All addresses of the host are private."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(f"{host} ({address}) is in a private network")
        self.host = host
        self.address = address


class UnknownHost(Exception):
    """The host cannot be resolved."""


class Resolver:
    """Resolves names as the system does, in threads of its own, one for each host at a time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolve")
        #: By host. A name server that does not answer holds a thread for longer than an attempt.
        self._pending: dict[str, asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        """Raises: OSError, UnicodeError."""
        pending = self._pending.get(host)
        if pending is None:
            loop = asyncio.get_running_loop()
            pending = loop.run_in_executor(self._threads, _addresses, host)
            self._pending[host] = pending
            pending.add_done_callback(lambda done: self._forget(host, done))
        return await asyncio.shield(pending)

    def _forget(self, host: str, done: asyncio.Future[list[str]]) -> None:
        del self._pending[host]
        if not done.cancelled():
            done.exception()  # else it would be logged if nobody waits any more

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class GuardedNetwork(httpcore2.AsyncNetworkBackend):
    """`private`: addresses that may be reached although they are not public."""

    def __init__(
        self,
        private: Iterable[PrivateTarget],
        resolve: Resolve,
        *,
        first_seconds: float = _FIRST_SECONDS,
    ) -> None:
        self._private = tuple(private)
        self._resolve = resolve
        self._first_seconds = first_seconds
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address that may be reached and answers.

        Raises:
            TargetRefused
            UnknownHost
            httpcore2.NetworkError, httpcore2.TimeoutException
        """
        allowed = await self._allowed(host, port)
        *others, last = allowed
        for address in others:
            share = self._first_seconds / len(others)
            try:
                return await self._inner.connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore2.NetworkError, httpcore2.TimeoutException):
                continue
        return await self._inner.connect_tcp(last, port, timeout, local_address, socket_options)

    async def _allowed(self, host: str, port: int) -> list[str]:
        try:
            addresses = await self._resolve(host.strip("[]"), port)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "not a host name"
            raise UnknownHost(f"The host {host} cannot be resolved ({reason}).") from error
        allowed = [
            one for one in addresses if may_reach(ipaddress.ip_address(one), port, self._private)
        ]
        if not allowed:
            raise TargetRefused(host, addresses[0] if addresses else host)
        return allowed
