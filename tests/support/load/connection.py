"""One connection of a flow, which carries one request at a time."""

from __future__ import annotations

import asyncio
import select
from typing import Protocol

from tests.support.load.answer import Answer, MalformedAnswerError
from tests.support.load.plan import Flow
from tests.support.load.report import Kind, Verdict


class ConnectionOwner(Protocol):
    def answered(self, connection: Connection, answer: Answer, due: float) -> None: ...

    def failed(self, connection: Connection, verdict: Verdict) -> None: ...

    def gone(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    def __init__(self, owner: ConnectionOwner, flow: Flow, request: bytes) -> None:
        self._owner = owner
        self._flow = flow
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._poll = select.poll()
        self._due = 0.0
        self._answer: Answer | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._is_reused = False

    def open(self, address: tuple[str, int]) -> None:
        self._connecting = self._loop.create_task(self._connect(address))
        self._connecting.add_done_callback(self._connected)

    def send(self, due: float, timeout: float) -> None:
        """Send the request that was due at `due`, as soon as the connection is open."""
        self._due = due
        self._answer = Answer(is_to_head=self._flow.method == "HEAD")
        self._deadline = self._loop.call_at(due + timeout, self._time_out)
        if self._transport is not None:
            self._is_reused = True
            self._transport.write(self._request)

    def is_usable(self) -> bool:
        """Whether the server still holds its end of this idle connection.

        The kernel is asked, because a FIN that has arrived may not have been through the event
        loop yet, and a request must not be lost to a connection that was known to be closed.
        """
        return (
            self._transport is not None
            and not self._transport.is_closing()
            and not self._poll.poll(0)
        )

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        self._forget_request()
        if self._connecting is not None:
            self._connecting.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def _connect(self, address: tuple[str, int]) -> None:
        try:
            await self._loop.create_connection(lambda: self, *address)
        except OSError as error:
            self._connecting = None
            self._fail(Kind.CONNECT_ERROR, str(error))

    def _connected(self, _: asyncio.Task[None]) -> None:
        self._connecting = None
        if self._transport is None:
            self._owner.gone(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        if self._answer is not None:
            transport.write(self._request)
        else:  # given up while it was being opened
            transport.abort()

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:  # an answer to nothing
            self.abort()
            return
        try:
            answer.feed(data)
        except MalformedAnswerError as error:
            self._fail(Kind.MALFORMED, str(error))
        else:
            if answer.complete:
                self._complete(answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._answer is not None:
            self._lose(self._answer, error)
        self._owner.gone(self)

    def _complete(self, answer: Answer) -> None:
        self._forget_request()
        self._owner.answered(self, answer, self._due)

    def _lose(self, answer: Answer, error: Exception | None) -> None:
        if error is not None:
            self._fail(Kind.RESET, str(error))
        elif answer.ends_at_close:
            self._complete(answer)
        elif answer.begun:
            self._fail(Kind.EOF, "closed in the middle of the answer")
        elif self._is_reused:
            self._fail(Kind.RESET, "a kept-alive connection was closed instead of an answer")
        else:
            self._fail(Kind.EOF, "closed before the answer")

    def _time_out(self) -> None:
        self._fail(Kind.TIMEOUT, "connecting" if self._transport is None else "no complete answer")

    def _fail(self, kind: Kind, detail: str) -> None:
        self.abort()
        self._owner.failed(self, Verdict(kind, detail))

    def _forget_request(self) -> None:
        self._answer = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
