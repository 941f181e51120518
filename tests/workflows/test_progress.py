"""Temporal's UI shows the progress of a running step, which costs the history nothing."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.inputs import StepInput, StepResult
from activities.step import Steps
from aweigh.deployments.deployment import StepName
from aweigh.deployments.release import Image, Release
from aweigh.servers.journal import Journal
from tests.support.installation import settings_of
from tests.support.simulated_server import steps
from tests.support.stage import Theatre
from tests.support.worker_api import WorkerApi
from workflows.names import pull_queue, steps_queue, waits_queue

PASSWORD = "correct-horse-battery"


class Pull:
    """A step as server workers open it, which waits in the middle of a pull."""

    def __init__(self, opens: Steps) -> None:
        self._opens = opens
        self.release = asyncio.Event()

    @activity.defn(name="pull")
    async def pull(self, step: StepInput) -> StepResult:
        async with self._opens.open(StepName.PULL, step) as opened:
            opened.progress(f"1 of 2 layers from {PASSWORD}")
            await self.release.wait()
            opened.detail = "2 of 2 layers"
            return StepResult(opened.detail)


async def heartbeat_details(deployment: WorkflowHandle[object, object]) -> str:
    """The details under *Pending Activities*, once a heartbeat has brought some."""
    async with asyncio.timeout(300):
        while True:
            with suppress(RPCError):  # its lane has not started it yet
                pending = (await deployment.describe()).raw_description.pending_activities
                for payload in (one for each in pending for one in each.heartbeat_details.payloads):
                    return payload.data.decode()
            await asyncio.sleep(0.05)


async def test_pending_activities_show_the_masked_progress_of_a_step(
    house: Theatre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = WorkerApi().client()
    released = Release(
        deployment="dep_1", application="app_1", slug="shop", server="local", sequence=1,
        image=Image(reference="a"), settings=settings_of(env={"TOKEN": PASSWORD}),
    )  # fmt: skip

    async def release(*_: str) -> Release:
        return released

    monkeypatch.setattr(api, "release", release)
    unused: Any = None
    pull = Pull(Steps(api, Journal(tmp_path, api), unused, unused))
    async with house.stage(serving=False) as stage:
        made_up = steps(stage.world)
        async with (
            Worker(stage.client, task_queue=steps_queue(stage.name), activities=made_up),
            Worker(stage.client, task_queue=waits_queue(stage.name), activities=made_up),
            Worker(stage.client, task_queue=pull_queue(stage.name), activities=[pull.pull]),
        ):
            await stage.submit(stage.turn(1))
            shown = await heartbeat_details(stage.deployment(1))
            pull.release.set()
            await stage.ended(1)
            await stage.lane_ended()
    history = await stage.deployment(1).fetch_history()

    assert shown == '"1 of 2 layers from **********"'
    assert not [
        event for event in history.events
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]  # fmt: skip
