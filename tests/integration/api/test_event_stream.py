"""Many readers of events over restarts of a real API process: each is told each event once."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil
import pytest
from sqlalchemy import select

from aweigh.core.settings import Settings
from aweigh.store import tokens
from aweigh.store.tables import EventRow
from tests.support.api_caller import BEARERS
from tests.support.backlog import Backlog, backlog
from tests.support.events import events
from tests.support.installation import create_application
from tests.support.ports import free_ports
from worker.installation import install
from worker.store import open_store

MB = 1024 * 1024
READERS = 50
#: How the API ends each time.
ENDS = (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM)
#: Events that are written at a time, three times before each end.
SOME = 15
#: What a process may grow by for other reasons than what readers leave unread.
GROWTH = 32 * MB


@dataclass
class Installation:
    """An installation without workers and Temporal, whose API is a process of its own."""

    data: Path
    port: int
    token: str
    written: Backlog

    @asynccontextmanager
    async def serving(self, end: signal.Signals = signal.SIGTERM) -> AsyncIterator[psutil.Process]:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AWEIGH_")},
            "AWEIGH_DATA": str(self.data), "AWEIGH_API_PORT": str(self.port),
            "AWEIGH_TEMPORAL_ADDRESS": "127.0.0.1:1",
        }  # fmt: skip
        with (self.data / "api.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cli.main", "api", env=environment, stdout=log, stderr=log
            )
        try:
            await self._until_listening(process)
            yield psutil.Process(process.pid)
            process.send_signal(end)
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _until_listening(self, process: asyncio.subprocess.Process) -> None:
        while process.returncode is None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                return writer.close()
            await asyncio.sleep(0.02)
        raise AssertionError((self.data / "api.log").read_text())

    async def event_ids(self) -> list[str]:
        store = await open_store(Settings(data=self.data))
        async with store.read() as tx:
            found = list(await tx.session.scalars(select(EventRow.id).order_by(EventRow.id)))
        await store.close()
        return [str(one) for one in found]


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    settings = Settings(data=tmp_path, api_port=free_ports(1)[0])
    await install(settings)
    store = await open_store(settings)
    async with store.write() as tx:
        token = await tokens.issue(tx, BEARERS["read"])
        application = (await create_application(tx)).row.id
    await store.close()
    async with backlog(tmp_path, application) as written:
        yield Installation(tmp_path, settings.api_port, token, written)


@dataclass
class Reader:
    """Reads and reconnects, as a browser's EventSource does."""

    client: httpx2.AsyncClient
    installation: Installation
    told: list[str] = field(default_factory=list)
    size: int = 0
    clean_ends: int = 0
    reads: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        while True:
            try:
                await self._read_once()
            except (OSError, httpx2.TransportError):
                await asyncio.sleep(0.02)  # the API is away

    async def _read_once(self) -> None:
        headers = {
            "Authorization": f"Bearer {self.installation.token}", "Accept": "text/event-stream",
            "Last-Event-ID": self.told[-1] if self.told else "0",
        }  # fmt: skip
        url = f"http://127.0.0.1:{self.installation.port}/v1/events"
        rest = ""
        async with self.client.stream("GET", url, headers=headers) as answer:
            assert answer.status_code == 200
            async for piece in answer.aiter_text():
                whole, mark, rest = (rest + piece).rpartition("\n\n")
                self.told += [one["id"] for one in events(whole + mark) if "id" in one]
                self.size += len(piece)
                await self.reads.wait()
        self.clean_ends += 1


@dataclass
class Readers:
    """Readers that run; the first two may stop reading, without closing their connections."""

    all: Sequence[Reader]
    tasks: Sequence[asyncio.Task[None]]

    @property
    def stopped(self) -> Sequence[Reader]:
        return self.all[:2]

    @property
    def reading(self) -> Sequence[Reader]:
        return self.all[2:]

    def stop(self) -> None:
        for one in self.stopped:
            one.reads.clear()

    def resume(self) -> None:
        for one in self.stopped:
            one.reads.set()

    async def told(self, some: Sequence[Reader], number: int) -> None:
        """Wait until they were told of so many events."""
        async with asyncio.timeout(300):
            while any(len(one.told) < number for one in some):
                assert not any(task.done() for task in self.tasks)
                await asyncio.sleep(0.02)


@asynccontextmanager
async def readers(installation: Installation, number: int) -> AsyncIterator[Readers]:
    # One for all: each client reads the certificates that it trusts.
    limits = httpx2.Limits(max_connections=number)
    async with httpx2.AsyncClient(timeout=None, trust_env=False, limits=limits) as client:
        made = [Reader(client, installation) for _ in range(number)]
        for one in made:
            one.reads.set()
        tasks = [asyncio.create_task(one.run()) for one in made]
        try:
            yield Readers(made, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def test_each_reader_is_told_each_event_once_over_restarts(
    installation: Installation,
) -> None:
    number = 0
    async with readers(installation, READERS) as made:
        for restart, end in enumerate(ENDS):
            async with installation.serving(end) as process:
                await installation.written.add(SOME)
                await made.told(made.reading if restart else made.all, number + SOME)
                before = process.memory_info().rss
                made.stop()
                await installation.written.add(SOME)
                await made.told(made.reading, number + 2 * SOME)
                assert process.memory_info().rss < before + GROWTH
            await installation.written.add(SOME)  # while the API is away
            number += 3 * SOME
        made.resume()
        async with installation.serving():
            await made.told(made.all, number)

    expected = await installation.event_ids()
    assert len(expected) == number
    assert all(one.told == expected for one in made.all)
    assert all(one.clean_ends >= ENDS.count(signal.SIGTERM) for one in made.reading)


async def test_readers_that_stop_reading_leave_the_memory_of_the_api_flat(
    installation: Installation,
) -> None:
    sentence = "x" * 10_000
    first, many = 60, 6_000
    async with readers(installation, 3) as made, installation.serving() as process:
        [reading] = made.reading
        await installation.written.add(first, sentence)
        await made.told(made.all, first)
        before = process.memory_info().rss
        made.stop()
        await installation.written.add(many, sentence)
        await made.told(made.reading, first + many)
        unread = reading.size - max(one.size for one in made.stopped)
        grown = process.memory_info().rss - before
        made.resume()
        await made.told(made.all, first + many)

    assert unread > 40 * MB
    assert grown < GROWTH, f"{grown / MB:.0f} MB for {unread / MB:.0f} MB unread by two readers"
    expected = await installation.event_ids()
    assert all(one.told == expected for one in made.all)
