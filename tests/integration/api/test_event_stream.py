"""Many readers of events over restarts of the API: each is told each event once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import uvicorn

from api.app import create_app
from aweigh.core.settings import Settings
from aweigh.github.app import GitHub
from aweigh.store import tokens
from aweigh.store.database import Store
from aweigh.store.events import Filter, after
from tests.support.api_caller import BEARERS, away
from tests.support.events import events
from tests.support.installation import new_application, new_deployment, start, succeed
from tests.support.stack import free_ports
from worker.api import configured

READERS = 50
RESTARTS = 3


@asynccontextmanager
async def serving(store: Store, settings: Settings) -> AsyncIterator[None]:
    app = create_app(settings, store, away, GitHub("https://api.github.com"))
    server = uvicorn.Server(configured(app, settings))
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        app.state.context.followers.close()
        server.should_exit = True
        await running


@dataclass
class Reader:
    """Reads and reconnects, as a browser's EventSource does."""

    client: httpx2.AsyncClient
    port: int
    token: str
    told: list[str] = field(default_factory=list)
    clean_ends: int = 0
    reads: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        while True:
            try:
                await self._read_once()
            except (OSError, httpx2.TransportError):
                await asyncio.sleep(0.02)  # the API is away

    async def _read_once(self) -> None:
        url = f"http://127.0.0.1:{self.port}/v1/events"
        headers = {
            "Authorization": f"Bearer {self.token}", "Accept": "text/event-stream",
            "Last-Event-ID": self.told[-1] if self.told else "0",
        }  # fmt: skip
        rest = ""
        async with self.client.stream("GET", url, headers=headers) as answer:
            assert answer.status_code == 200
            async for piece in answer.aiter_text():
                whole, mark, rest = (rest + piece).rpartition("\n\n")
                self.told += [one["id"] for one in events(whole + mark) if "id" in one]
                await self.reads.wait()
        self.clean_ends += 1


async def change(store: Store, application: str) -> None:
    for number in range(5):
        made = await new_deployment(store, application, tag=f"v{number}")
        await start(store, made)
        await succeed(store, made)


async def newest(store: Store) -> list[str]:
    async with store.read() as tx:
        found = await after(tx, Filter(), 0, 1000)
    return [str(one.id) for one in found]


async def test_each_reader_is_told_each_event_once_over_restarts(
    store: Store, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, api_port=free_ports(1)[0])
    async with store.write() as tx:
        token = await tokens.issue(tx, BEARERS["read"])
    application = await new_application(store)
    # One for all: each client reads the certificates that it trusts.
    limits = httpx2.Limits(max_connections=READERS)
    client = httpx2.AsyncClient(timeout=None, trust_env=False, limits=limits)
    readers = [Reader(client, settings.api_port, token) for _ in range(READERS)]
    stopped, reading = readers[:2], readers[2:]
    for one in readers:
        one.reads.set()
    running = [asyncio.create_task(one.run()) for one in readers]

    async def wait_for(some: list[Reader]) -> None:
        wanted = len(await newest(store))
        async with asyncio.timeout(120):
            while any(len(one.told) < wanted for one in some):
                assert not any(task.done() for task in running)
                await asyncio.sleep(0.02)

    for restart in range(RESTARTS):
        async with serving(store, settings):
            await change(store, application)
            await wait_for(reading if restart else readers)
            for one in stopped:
                one.reads.clear()
            await change(store, application)
            await wait_for(reading)
        await change(store, application)  # while the API is away
    for one in stopped:
        one.reads.set()
    async with serving(store, settings):
        await wait_for(readers)
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    await client.aclose()

    expected = await newest(store)
    assert len(expected) == RESTARTS * 3 * 15
    assert all(one.told == expected for one in readers)
    assert all(one.clean_ends >= RESTARTS for one in reading)
