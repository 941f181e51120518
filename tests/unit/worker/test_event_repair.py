"""What is slow with one subject keeps no other from being repaired."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from aweigh.engine.own_containers import OwnContainers
from aweigh.routing.proxy_guard import ProxyGuard
from aweigh.routing.route_files import RouteFiles
from aweigh.upkeep.live_containers import LiveContainers
from worker import event_repair
from worker.engine_events import EngineEvent
from worker.event_repair import EventRepair

SECONDS = 20
PROXY = EngineEvent("die", {"aweigh.role": "proxy"})


def died(application: str) -> EngineEvent:
    return EngineEvent("die", {"aweigh.application": application})


class FakeLiveContainers:
    """Keeps applications and the proxy running, and is not done with slow ones."""

    def __init__(self, *slow: str) -> None:
        self.slow = slow
        self.looked: list[str] = []
        self.may_end = asyncio.Event()
        self._changed = asyncio.Condition()

    async def ensure_if_needed(self) -> None:
        await self.ensure_running("proxy")

    async def ensure_running(self, subject: str) -> bool:
        async with self._changed:
            self.looked.append(subject)
            self._changed.notify_all()
        if subject in self.slow:
            await self.may_end.wait()
        return True

    async def until(self, *looked: str) -> None:
        async with asyncio.timeout(SECONDS), self._changed:
            await self._changed.wait_for(lambda: sorted(self.looked) == sorted(looked))


@pytest.fixture
def applications(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(event_repair, "_SETTLE_SECONDS", 0.01)
    return [f"app_{number}" for number in range(event_repair._AT_ONCE + 1)]


class NothingRuns:
    async def replicas(self, *_: object) -> list[Any]:
        return []


def repairing(
    containers: FakeLiveContainers, applications: list[str]
) -> tuple[EventRepair, asyncio.Task[None]]:
    files = [
        SimpleNamespace(generation=SimpleNamespace(application=one, sequence=1, addresses=("1",)))
        for one in applications
    ]
    repair = EventRepair(
        cast(RouteFiles, SimpleNamespace(all=lambda: files)),
        cast(OwnContainers, NothingRuns()),
        cast(LiveContainers, containers),
        cast(ProxyGuard, containers),
    )
    return repair, asyncio.create_task(repair.run())


async def test_what_happens_while_one_is_looked_after_is_looked_at(
    applications: list[str],
) -> None:
    containers = FakeLiveContainers("proxy")
    repair, running = repairing(containers, applications)
    repair.take(PROXY)
    await containers.until("proxy")

    repair.take(died("app_1"))

    await containers.until("proxy", "app_1")
    running.cancel()


async def test_what_happens_again_to_a_slow_one_is_looked_at_when_it_is_done(
    applications: list[str],
) -> None:
    containers = FakeLiveContainers("proxy")
    repair, running = repairing(containers, applications)
    repair.take(PROXY)
    await containers.until("proxy")

    repair.take(PROXY)
    repair.take(died("app_1"))  # by the time of this one that was taken down
    await containers.until("proxy", "app_1")
    containers.may_end.set()

    await containers.until("proxy", "app_1", "proxy")
    running.cancel()


async def test_slow_ones_do_not_keep_the_places_of_others(
    applications: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_repair, "_PLACE_SECONDS", 0.01)
    containers = FakeLiveContainers(*applications[:-1])
    repair, running = repairing(containers, applications)
    for one in applications[:-1]:
        repair.take(died(one))
    await containers.until(*applications[:-1])

    repair.take(died(applications[-1]))

    await containers.until(*applications)
    running.cancel()


async def test_one_that_is_not_done_is_tried_again(
    applications: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_repair, "_FIRST_PAUSE", 0.01)

    class Failing(FakeLiveContainers):
        async def ensure_running(self, subject: str) -> bool:
            await super().ensure_running(subject)
            return len(self.looked) == 3

    containers = Failing()
    repair, running = repairing(containers, applications)

    repair.take(died("app_1"))

    await containers.until("app_1", "app_1", "app_1")
    running.cancel()
