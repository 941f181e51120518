"""The heartbeat of a running step shows its progress in Temporal's UI, without secrets."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities import heartbeat
from activities.inputs import StepInput
from activities.step import Steps
from aweigh.deployments.deployment import StepName, StepState
from aweigh.deployments.release import Image, Release
from aweigh.servers.journal import Journal
from aweigh.servers.running_step import RunningStep
from tests.support.installation import settings_of
from tests.support.worker_api import WorkerApi

PASSWORD = "correct-horse-battery"
RELEASE = Release(
    deployment="dep_1", application="app_1", slug="shop", server="local", sequence=1,
    image=Image(reference="a"), settings=settings_of(env={"TOKEN": PASSWORD}),
)  # fmt: skip


class Beats:
    """The heartbeats of one step, from its start."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(heartbeat, "_INTERVAL_SECONDS", 0.01)
        api = WorkerApi().client()
        monkeypatch.setattr(api, "release", self._release)
        unused: Any = None
        self._steps = Steps(api, Journal(directory, api), unused, unused)
        self._sent: list[tuple[Any, ...]] = []
        self._next = asyncio.Event()

    async def _release(self, *_: str) -> Release:
        return RELEASE

    async def during(self, doing: Any) -> None:
        environment = ActivityEnvironment()
        environment.on_heartbeat = self._beat

        async def step() -> None:
            async with self._steps.open(StepName.PULL, StepInput("dep_1", "app_1", 1)) as step:
                await doing(step)

        await environment.run(step)

    def _beat(self, *details: Any) -> None:
        self._sent.append(details)
        self._next.set()

    async def next(self) -> tuple[Any, ...]:
        self._next.clear()
        await self._next.wait()
        return self._sent[-1]


@pytest.fixture
def beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beats:
    return Beats(tmp_path, monkeypatch)


async def test_a_heartbeat_carries_the_masked_progress(beats: Beats) -> None:
    async def pull(step: RunningStep) -> None:
        assert await beats.next() == ()
        for layers in (1, 2):
            step.progress(f"{layers} of 2 layers from {PASSWORD}")
            assert await beats.next() == (f"{layers} of 2 layers from **********",)

    await beats.during(pull)


async def test_the_evidence_of_a_failure_is_in_no_heartbeat(beats: Beats) -> None:
    async def fail(step: RunningStep) -> None:
        step.progress("1 of 2 layers")
        step.detail = "it failed\nthe last lines of the log"
        step.report(StepState.FAILED)
        assert await beats.next() == ("1 of 2 layers",)

    await beats.during(fail)
