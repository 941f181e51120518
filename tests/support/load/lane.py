"""A running flow: its schedule and its connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.support.load.answer import Answer
from tests.support.load.connection import Connection
from tests.support.load.plan import Flow, Load
from tests.support.load.report import Kind, Tally, Verdict

Judge = Callable[[Answer], Verdict]


class Lane:
    def __init__(
        self, flow: Flow, load: Load, address: tuple[str, int], tally: Tally, judge: Judge
    ) -> None:
        self._flow = flow
        self._load = load
        self._address = address
        self._tally = tally
        self._judge = judge
        self._request = flow.request(load.host_header)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._started_at = 0.0
        self._issued = 0
        self._connections: set[Connection] = set()
        # The one used last is used next: a dict, because any other may leave at any time.
        self._idle: dict[Connection, None] = {}
        self._is_stopping = False
        self._all_gone = asyncio.Event()

    @property
    def in_flight(self) -> int:
        return len(self._connections) - len(self._idle)

    def start(self) -> None:
        self._started_at = self._loop.time()
        self._issue_due()

    def stop(self) -> None:
        """Issue no more; let the requests in flight end."""
        self._is_stopping = True
        if self._timer is not None:
            self._timer.cancel()
        for connection in self._idle:
            connection.close()
        self._notice_end()

    def abort(self) -> None:
        self.stop()
        for connection in self._connections:
            connection.abort()

    async def ended(self) -> None:
        await self._all_gone.wait()

    def answered(self, connection: Connection, answer: Answer, due: float) -> None:
        now = self._loop.time()
        verdict = self._judge(answer)
        # Another application's version is none of the versions this load is about.
        version = None if verdict.kind == Kind.WRONG_APPLICATION else answer.version
        self._tally.record_answer(flow=self._flow.name, version=version, due=due, now=now)
        self._tally.record_verdict(verdict, flow=self._flow.name, now=now)
        if self._flow.keep_alive and answer.keep_alive and not self._is_stopping:
            self._idle[connection] = None
        else:
            connection.close()

    def failed(self, connection: Connection, verdict: Verdict) -> None:
        self._tally.record_verdict(verdict, flow=self._flow.name, now=self._loop.time())

    def gone(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._idle.pop(connection, None)
        self._notice_end()

    def _issue_due(self) -> None:
        """Issue all that is due by now, also what should have been issued a while ago.

        The schedule never waits for answers: users do not stop coming because a server stalls.
        """
        now = self._loop.time()
        while (due := self._started_at + self._issued / self._flow.rate) <= now:
            self._issued += 1
            self._issue(due)
        self._timer = self._loop.call_at(due, self._issue_due)

    def _issue(self, due: float) -> None:
        self._tally.sent += 1
        connection = self._take_idle()
        if connection is None and len(self._connections) >= self._load.connections_per_flow:
            skipped = Verdict(Kind.SKIPPED, f"all {len(self._connections)} connections are busy")
            self._tally.record_verdict(skipped, flow=self._flow.name, now=self._loop.time())
            return
        if connection is None:
            connection = Connection(self, self._flow, self._request)
            self._connections.add(connection)
            connection.open(self._address)
        connection.send(due, self._load.timeout)

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.is_usable():
                return connection
            connection.close()
        return None

    def _notice_end(self) -> None:
        if self._is_stopping and not self._connections:
            self._all_gone.set()
