"""Routes are checked independently: one that is slow to check holds up no other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from aweigh.deployments.release import Release
from aweigh.engine.container import Container
from aweigh.engine.naming import Names
from aweigh.engine.own_containers import OwnContainers
from aweigh.routing.fence import Fence
from aweigh.routing.live_state import LiveState
from aweigh.routing.route import Generation, Routing, render
from aweigh.routing.route_files import RouteFiles
from aweigh.servers.api_client import Api
from aweigh.servers.locks import Locks
from aweigh.testing.probe import FakeProbe
from tests.support.installation import settings_of
from worker import route_servers
from worker.route_servers import RouteServers

SECONDS = 60
SETTINGS = settings_of(domains=[{"host": "shop.example.com"}], replicas=2)
ADDRESSES = ("10.201.1.1", "10.201.1.2")


class SlowApi:
    """Answers for each slug only once it may."""

    def __init__(self) -> None:
        self.slow: set[str] = set()
        self.asked: list[str] = []
        self.waiting: set[str] = set()
        self.may_answer = asyncio.Event()

    async def release(self, slug: str) -> Release:
        self.asked.append(slug)
        if slug in self.slow:
            self.waiting.add(slug)
            await self.may_answer.wait()
            self.waiting.discard(slug)
        return cast(Release, SimpleNamespace(settings=SETTINGS))


class TwoRun:
    """Both replicas of every application run; the second one answers nothing."""

    async def replicas(self, *_: object) -> list[Container]:
        return [
            Container(
                id=address, name=address, labels={}, image_id="", status="running",
                addresses={"test.application-any": address},
            )
            for address in ADDRESSES
        ]  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> RouteFiles:
    made = RouteFiles(tmp_path / "routes")
    made.prepare()
    return made


@pytest.fixture
def api() -> SlowApi:
    return SlowApi()


@pytest.fixture
def probe() -> FakeProbe:
    made = FakeProbe()
    made.listening[ADDRESSES[0], 8000] = 200
    return made


@pytest.fixture
async def servers(
    files: RouteFiles, api: SlowApi, probe: FakeProbe, tmp_path: Path
) -> AsyncIterator[RouteServers]:
    live = LiveState(files, Fence(tmp_path / "fences"), Routing(certificates=False))
    made = RouteServers(
        cast(Api, api), Locks(tmp_path), live, cast(OwnContainers, TwoRun()), probe,
        Names("test"),
    )  # fmt: skip
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def route(files: RouteFiles, *slugs: str) -> None:
    for slug in slugs:
        generation = Generation(
            instance="i", application=f"app_{slug}", slug=slug, deployment=slug, sequence=1,
            image_id="sha256:1", addresses=ADDRESSES, port=8000,
        )  # fmt: skip
        files.write(
            generation, render(generation, SETTINGS, Routing(certificates=False)), routed=True
        )


def is_out(files: RouteFiles, slug: str) -> bool:
    """Whether the replica that answers nothing is out of the route's servers."""
    live = files.live(slug)
    assert live is not None
    return f"http://{ADDRESSES[1]}:8000" not in live.path.read_text()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_a_slow_route_holds_up_no_other(
    files: RouteFiles, api: SlowApi, servers: RouteServers
) -> None:
    route(files, "a-slow", "quick")
    api.slow = {"a-slow"}

    servers.take(None)

    await until(lambda: is_out(files, "quick"))
    assert api.waiting == {"a-slow"}
    assert not is_out(files, "a-slow")
    api.may_answer.set()
    await until(lambda: is_out(files, "a-slow"))


async def test_an_event_during_a_check_leads_to_another_one(
    files: RouteFiles, api: SlowApi, probe: FakeProbe, servers: RouteServers
) -> None:
    route(files, "slow")
    api.slow = {"slow"}
    probe.listening[ADDRESSES[1], 8000] = 200  # complete, so only an event causes another check
    servers.take(None)
    await until(lambda: bool(api.waiting))

    servers.take(None)
    await until(lambda: servers._at_work["slow"].is_set())
    api.may_answer.set()

    await until(lambda: len(api.asked) == 2 and not servers._at_work)


async def test_a_replica_that_answers_again_is_added(
    files: RouteFiles, probe: FakeProbe, servers: RouteServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route_servers, "_RECHECK_SECONDS", 0.01)
    route(files, "shop")
    servers.take(None)
    await until(lambda: is_out(files, "shop"))

    probe.listening[ADDRESSES[1], 8000] = 200

    await until(lambda: not is_out(files, "shop") and not servers._at_work)


async def test_only_some_routes_are_checked_at_once(
    files: RouteFiles, api: SlowApi, servers: RouteServers
) -> None:
    slugs = [f"shop-{number}" for number in range(route_servers._AT_ONCE + 2)]
    route(files, *slugs)
    api.slow = set(slugs)

    servers.take(None)
    await until(lambda: len(api.waiting) == route_servers._AT_ONCE)
    await until(lambda: len(servers._at_work) == len(slugs))

    assert len(api.waiting) == route_servers._AT_ONCE
    api.may_answer.set()
    await until(lambda: all(is_out(files, slug) for slug in slugs))
