"""Limits for connections to the API: time for head and body, number of pieces, number in total.

These limits apply before the application, which sees only complete requests.
"""

import resource
from asyncio import TimerHandle, Transport
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from aweigh.core.caller import address_of, caller_at

#: Connections that the event loop accepts in one turn, before it can close any of them, and then
#: files that are open besides connections.
BACKLOG: Final = 512
_OTHER_FILES: Final = 256
_FEWEST: Final = 64
#: Maximum size of a request's head, and of the data parsed at once.
_PIECE: Final = 16 * 1024
#: Pieces of a body that may be arbitrarily small; more must have at least this average size.
_FREE_PIECES: Final = 1000
_PIECE_BYTES: Final = 64

_TOLD: Final = (
    b'{"type":"urn:aweigh:problem:unavailable","title":"Service Unavailable","status":503,'
    b'"detail":"Too many connections are open; try again."}'
)
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
    b"Retry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_TOLD), _TOLD)
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits for connections, in seconds, bytes and numbers."""

    connections: int = 2000
    #: Per address, except for addresses of a web server that forwards for many clients.
    connections_of_one: int = 250
    shared: tuple[IPv4Network | IPv6Network, ...] = (
        ip_network("127.0.0.0/8"),
        ip_network("::1"),
    )
    head_seconds: float = 10
    body_seconds: float = 20
    #: A body that takes longer must arrive at this rate.
    body_bytes_a_second: int = 16 * 1024
    #: For the rest of a body whose request was already answered.
    rest_seconds: float = 2
    #: Without reading any of the response.
    unread_seconds: float = 60


def allow_many_files(wanted: int) -> int:
    """Raise the limit of open files for the wanted connections; return how many it allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    needed = wanted + BACKLOG + _OTHER_FILES
    files = needed if unlimited else min(hard, needed)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(files - BACKLOG - _OTHER_FILES, _FEWEST)


class ConnectionPhase(Enum):
    """What a connection waits for."""

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    #: The end of a body whose request was already answered.
    REST = auto()
    #: The next request, if any.
    NOTHING = auto()


_UNFINISHED: Final = (ConnectionPhase.HEAD, ConnectionPhase.BODY, ConnectionPhase.REST)


class Connections:
    """All connections of a server; when it is full, the oldest incomplete one makes room."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._of: Counter[str] = Counter()
        self._count = 0
        self._unfinished: dict[GuardedProtocol, None] = {}
        self._idle: dict[GuardedProtocol, None] = {}

    def has_place(self, address: str) -> bool:
        """Whether a connection of this address is admitted, closing another one if necessary."""
        held = self._of[caller_at(address)]
        if held >= self.limits.connections_of_one and not self._is_shared(address):
            return False
        if self._count < self.limits.connections:
            return True
        for kind in (self._unfinished, self._idle):
            if kind:
                next(iter(kind)).end()
                return True
        return False

    def _is_shared(self, address: str) -> bool:
        known = address_of(address)
        return known is not None and any(known in one for one in self.limits.shared)

    def enter(self, address: str) -> None:
        self._of[caller_at(address)] += 1
        self._count += 1

    def leave(self, address: str) -> None:
        caller = caller_at(address)
        self._of[caller] -= 1
        self._count -= 1
        if not self._of[caller]:
            del self._of[caller]

    def note(self, connection: "GuardedProtocol", phase: ConnectionPhase | None) -> None:
        """Record what a connection waits for."""
        self._unfinished.pop(connection, None)
        self._idle.pop(connection, None)
        if phase in _UNFINISHED:
            self._unfinished[connection] = None
        elif phase is ConnectionPhase.NOTHING:
            self._idle[connection] = None


class _Parser(h11.Connection):
    """Rejects a body in too many small pieces: each costs as much as a large one."""

    _pieces = 0
    _bytes = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = self._bytes = 0
        elif isinstance(event, h11.Data):
            self._pieces += 1
            self._bytes += len(event.data)
            if self._pieces > _FREE_PIECES + self._bytes // _PIECE_BYTES:
                raise h11.RemoteProtocolError("the body arrives in too many small pieces")
        return event


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with limits for time and number."""

    def __init__(self, connections: Connections, **server: Any) -> None:
        super().__init__(**server)
        self.conn = _Parser(h11.SERVER, _PIECE)
        self._all = connections
        self._limits = connections.limits
        self._phase: ConnectionPhase | None = None
        self._began = 0.0
        self._arrived = 0
        self._deadline: TimerHandle | None = None
        self._unread: TimerHandle | None = None
        self._address = ""
        self._has_place = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        if self._all.has_place(self._address):
            self._has_place = True
            self._all.enter(self._address)
            self._watch()
        else:
            transport.write(_FULL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # In pieces, so that the parser's limit for a head holds even if all data arrives at once.
        for start in range(0, len(data), _PIECE):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + _PIECE])
        self._arrived += len(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self._limits.unread_seconds, self.end)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread:
            self._unread.cancel()
            self._unread = None

    def end(self) -> None:
        """Close the connection at once."""
        self._leave()
        self.transport.abort()

    def _leave(self) -> None:
        """Release the connection's place; the rest follows when the transport has closed."""
        if self._has_place:
            self._has_place = False
            self._all.leave(self._address)
        self._all.note(self, None)
        self._phase = None
        for timer in (self._deadline, self._unread):
            if timer:
                timer.cancel()
        self._deadline = self._unread = None

    def _watch(self) -> None:
        """Restart the timer if the connection now waits for something else."""
        phase = self._waits_for()
        if phase is self._phase or not self._has_place:
            return
        self._phase = phase
        self._all.note(self, phase)
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
        if phase in _UNFINISHED:
            self._began, self._arrived = self.loop.time(), 0
            self._deadline = self.loop.call_later(self._patience(phase), self._expire)

    def _waits_for(self) -> ConnectionPhase:
        sends_body = self.conn.their_state is h11.SEND_BODY
        if self.cycle is not None and not self.cycle.response_complete:
            return ConnectionPhase.BODY if sends_body else ConnectionPhase.ANSWER
        if sends_body:
            return ConnectionPhase.REST
        begun = self.cycle is None or bool(self.conn.trailing_data[0])
        return (
            ConnectionPhase.HEAD if begun else ConnectionPhase.NOTHING
        )  # uvicorn has its own timer for this

    def _patience(self, phase: ConnectionPhase | None) -> float:
        if phase is ConnectionPhase.HEAD:
            return self._limits.head_seconds
        if phase is ConnectionPhase.REST:
            return self._limits.rest_seconds
        return self._limits.body_seconds + self._arrived / self._limits.body_bytes_a_second

    def _expire(self) -> None:
        left = self._began + self._patience(self._phase) - self.loop.time()
        if self.flow.read_paused:  # this side is not reading now
            left = max(left, self._limits.rest_seconds)
        if left > 0:
            self._deadline = self.loop.call_later(left, self._expire)
        else:
            self.end()
