"""What is slow with one subject keeps no other from being repaired."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from activities.reconcile import ReconcileActivities
from aweigh.servers.server import Server
from worker import mender
from worker.engine_events import Happened
from worker.mender import Mender

SECONDS = 20
PROXY = Happened("die", {"aweigh.role": "proxy"})


def died(application: str) -> Happened:
    return Happened("die", {"aweigh.application": application})


class Reconciler:
    """Does not get done with what is slow."""

    def __init__(self, *slow: str) -> None:
        self.slow = slow
        self.looked: list[str] = []
        self.may_end = asyncio.Event()
        self._changed = asyncio.Condition()

    async def ensure_proxy(self) -> None:
        await self.look_after("proxy")

    async def look_after(self, subject: str) -> bool:
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
    async def nothing_runs(*_: Any) -> list[Any]:
        return []

    monkeypatch.setattr(mender, "_SETTLE_SECONDS", 0.01)
    monkeypatch.setattr(mender, "replicas_of", nothing_runs)
    return [f"app_{number}" for number in range(mender._AT_ONCE + 1)]


def mending(reconciler: Reconciler, applications: list[str]) -> tuple[Mender, asyncio.Task[None]]:
    commits = [
        SimpleNamespace(generation=SimpleNamespace(application=one, sequence=1, addresses=("1",)))
        for one in applications
    ]
    server = SimpleNamespace(commits=SimpleNamespace(all=lambda: commits))
    mends = Mender(cast(Server, server), cast(ReconcileActivities, reconciler))
    return mends, asyncio.create_task(mends.run())


async def test_what_happens_while_one_is_looked_after_is_looked_at(
    applications: list[str],
) -> None:
    reconciler = Reconciler("proxy")
    mends, running = mending(reconciler, applications)
    mends.told(PROXY)
    await reconciler.until("proxy")

    mends.told(died("app_1"))

    await reconciler.until("proxy", "app_1")
    running.cancel()


async def test_what_happens_again_to_a_slow_one_is_looked_at_when_it_is_done(
    applications: list[str],
) -> None:
    reconciler = Reconciler("proxy")
    mends, running = mending(reconciler, applications)
    mends.told(PROXY)
    await reconciler.until("proxy")

    mends.told(PROXY)
    mends.told(died("app_1"))  # by the time of this one that was taken down
    await reconciler.until("proxy", "app_1")
    reconciler.may_end.set()

    await reconciler.until("proxy", "app_1", "proxy")
    running.cancel()


async def test_slow_ones_do_not_keep_the_places_of_others(
    applications: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mender, "_PLACE_SECONDS", 0.01)
    reconciler = Reconciler(*applications[:-1])
    mends, running = mending(reconciler, applications)
    for one in applications[:-1]:
        mends.told(died(one))
    await reconciler.until(*applications[:-1])

    mends.told(died(applications[-1]))

    await reconciler.until(*applications)
    running.cancel()


async def test_one_that_is_not_done_is_tried_again(
    applications: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mender, "_FIRST_PAUSE", 0.01)

    class Failing(Reconciler):
        async def look_after(self, subject: str) -> bool:
            await super().look_after(subject)
            return len(self.looked) == 3

    reconciler = Failing()
    mends, running = mending(reconciler, applications)

    mends.told(died("app_1"))

    await reconciler.until("app_1", "app_1", "app_1")
    running.cancel()
