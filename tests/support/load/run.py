"""A running load."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from tests.support.load.answer import Answer
from tests.support.load.lane import Lane
from tests.support.load.plan import Load
from tests.support.load.report import Kind, Report, Tally, Verdict


class Run:
    def __init__(self, load: Load, address: tuple[str, int]) -> None:
        self._load = load
        self._versions = set(load.versions or ())
        self._is_any_version_allowed = load.versions is None and load.accept is None
        self._tally = Tally()
        self._lanes = [Lane(flow, load, address, self._tally, self._judge) for flow in load.flows]

    @property
    def sent(self) -> int:
        return self._tally.sent

    @property
    def answered(self) -> int:
        return self._tally.answered

    @property
    def failed(self) -> int:
        return self._tally.failed

    @property
    def in_flight(self) -> int:
        return self._tally.sent - self._tally.ended

    @property
    def versions(self) -> Mapping[str, int]:
        """How many answers each version has given so far."""
        return self._tally.versions

    def allow(self, version: str) -> None:
        """From now on, accept answers of `version`."""
        self._versions.add(version)
        self._is_any_version_allowed = False

    def forbid(self, version: str) -> None:
        """From now on, count answers of `version` as failed, unless `Load.accept` takes them."""
        self._versions.discard(version)
        self._is_any_version_allowed = False

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; it is asked whenever a request has ended."""
        while not condition():
            self._tally.progress.clear()
            await self._tally.progress.wait()

    def report(self) -> Report:
        return self._tally.report()

    def start(self) -> None:
        for lane in self._lanes:
            lane.start()

    def stop(self) -> None:
        for lane in self._lanes:
            lane.stop()

    def abort(self) -> None:
        for lane in self._lanes:
            lane.abort()

    async def ended(self) -> None:
        for lane in self._lanes:
            await lane.ended()

    def _judge(self, answer: Answer) -> Verdict:
        if not 200 <= answer.status < 300:
            return Verdict(f"status_{answer.status}")
        if self._load.name is not None and answer.name != self._load.name:
            return Verdict(Kind.WRONG_APPLICATION, f"X-Name: {answer.name}")
        if not self._accepts(answer.version):
            return Verdict(Kind.UNCOMMITTED, f"X-Version: {answer.version}")
        return Verdict(Kind.OK)

    def _accepts(self, version: str | None) -> bool:
        if self._is_any_version_allowed or version in self._versions:
            return True
        accept = self._load.accept
        return accept is not None and version is not None and accept(version)


@asynccontextmanager
async def running(load: Load) -> AsyncIterator[Run]:
    """Run the load inside the block, then wait for the requests in flight to end.

    When the block fails there is nothing left to measure, and they are dropped instead.
    """
    run = Run(load, await _resolve(load.address))
    run.start()
    try:
        yield run
        run.stop()
        await run.ended()
    finally:
        run.abort()
        await run.ended()


async def _resolve(address: tuple[str, int]) -> tuple[str, int]:
    """Look the name up once: a look-up for every connection would measure the resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(*address, type=socket.SOCK_STREAM)
    numeric = found[0][4]
    return str(numeric[0]), int(numeric[1])
