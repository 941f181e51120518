"""Many who follow deployments at once: woken together, told the same, in nobody's way."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event

from api.followers import Followers
from api.log_stream import follow
from aweigh.store import logs
from aweigh.store.database import Store, Transaction
from tests.support.api_caller import Caller, open_api
from tests.support.events import events
from tests.support.installation import Databases, new_vault, open_store, succeed

MANY = 300


class CountingStore(Store):
    """Counts how often it is read."""

    reads = 0

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        self.reads += 1
        async with super().read() as tx:
            yield tx

    def statements(self) -> list[str]:
        """What the database is asked from now on."""
        asked: list[str] = []
        listen = partial(event.listen, self._engine.sync_engine, "before_cursor_execute")
        listen(lambda _, __, statement, *___: asked.append(statement))
        return asked


@pytest.fixture
def url(databases: Databases) -> str:
    return databases.new()


@pytest.fixture
async def store(url: str) -> AsyncIterator[CountingStore]:
    opened = CountingStore(url, new_vault())
    yield opened
    await opened.close()


@pytest.fixture
async def caller(store: CountingStore, tmp_path: Path) -> AsyncIterator[Caller]:
    async with open_api(store, tmp_path, api_connections=1000) as opened:
        yield opened


@pytest.fixture
def watch(caller: Caller) -> Followers:
    found: Followers = caller.app.state.context.followers
    return found


async def append(store: Store, deployment: str, data: bytes) -> None:
    async with store.write() as tx:
        await logs.append(tx, deployment, await logs.length(tx, deployment), data)


async def next_line(following: AsyncIterator[bytes]) -> str:
    async for data in following:
        for told in events(data.decode()):
            return str(json.loads(told["data"]))
    raise AssertionError("the stream has ended")


async def test_followers_of_one_log_share_what_is_read(
    caller: Caller, watch: Followers, store: CountingStore, url: str
) -> None:
    deployment = await caller.deploy(await caller.create())
    await append(store, deployment, b"one\n")
    async with AsyncExitStack() as stack, open_store(url) as other:
        following = [
            await stack.enter_async_context(aclosing(follow(watch, deployment, 0)))
            for _ in range(MANY)
        ]
        assert {await next_line(one) for one in following} == {"one"}
        store.reads = 0
        waiting = [asyncio.ensure_future(next_line(one)) for one in following]
        await append(other, deployment, b"two\n")  # as another process would

        assert set(await asyncio.gather(*waiting)) == {"two"}

    assert store.reads < MANY / 3


async def test_one_query_wakes_all_waiting_callers(
    caller: Caller, watch: Followers, store: CountingStore, url: str
) -> None:
    deployment = await caller.deploy(await caller.create())
    path = f"/v1/deployments/{deployment}?wait=900"
    calls = [asyncio.ensure_future(caller.call("GET", path)) for _ in range(MANY)]
    while watch.followers < MANY:
        await asyncio.sleep(0.01)
    store.reads = 0

    async with open_store(url) as other:
        await succeed(other, deployment)

    assert {one.status_code for one in await asyncio.gather(*calls)} == {200}
    assert store.reads < MANY / 3
    assert watch.followers == 0


async def test_too_many_followers_are_told_to_come_again(caller: Caller, watch: Followers) -> None:
    deployment = await caller.deploy(await caller.create())
    path = f"/v1/deployments/{deployment}"
    async with AsyncExitStack() as stack:
        for _ in range(600):
            stack.enter_context(watch.follow(deployment))

        followed = await caller.call("GET", f"{path}/log", headers={"Accept": "text/event-stream"})
        waited = await caller.call("GET", path, params={"wait": 900})
        read = await caller.call("GET", f"{path}/log")

    assert (followed.status_code, followed.headers["retry-after"]) == (503, "1")
    assert "600 callers follow deployments or events already" in followed.json()["detail"]
    assert (waited.status_code, read.status_code) == (202, 200)


async def test_followers_go_on_when_the_database_was_away(
    caller: Caller, watch: Followers, store: CountingStore, url: str
) -> None:
    deployment = await caller.deploy(await caller.create())
    file = Path(url.partition("///")[2])
    async with aclosing(follow(watch, deployment, 0)) as following:
        line = asyncio.ensure_future(next_line(following))
        file.rename(f"{file}.away")
        while store.reads < 10:
            await asyncio.sleep(0.01)
        Path(f"{file}.away").rename(file)
        await append(store, deployment, b"back\n")

        assert await line == "back"


async def test_a_list_takes_as_many_questions_as_one_deployment(
    caller: Caller, store: CountingStore
) -> None:
    async def asked() -> int:
        """The fewest of a few times: the relay asks in between."""
        counts = []
        for _ in range(5):
            statements.clear()
            await caller.get("/v1/deployments", params={"limit": 100})
            counts.append(len(statements))
        return min(counts)

    statements = store.statements()
    app = await caller.create()
    await caller.deploy(app)
    one = await asked()
    for number in range(20):
        await caller.deploy(app, json={"tag": f"v{number}"})

    assert await asked() == one
