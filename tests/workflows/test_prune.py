"""The pruning workflow: it calls until nothing is left, and no more often than it may."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.inputs import PruneInput, PruneResult
from activities.prune import PruneActivities
from aweigh.deployments.deployment import Reason
from aweigh.store import lifecycle
from aweigh.store.database import Store
from aweigh.store.pruning import Pruning
from tests.support.installation import (
    SERVER,
    Databases,
    events_of,
    new_application,
    new_deployment,
    open_store,
)
from tests.support.stage import start_temporal
from worker.control import sandbox
from worker.schedules import PRUNE_EVERY, ensure_scheduled
from workflows.names import CONTROL_QUEUE, prune_schedule
from workflows.prune import PruneRequest, PruneWorkflow


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[Client]:
    """A Temporal of its own: the worker of other tests here knows no such activity."""
    async with await start_temporal() as started:
        yield started.client


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    databases = Databases(tmp_path)
    await databases.prepare()
    async with open_store(databases.new()) as opened:
        yield opened


@asynccontextmanager
async def working(client: Client, prune: Callable[..., Any]) -> AsyncIterator[None]:
    async with Worker(
        client, task_queue=CONTROL_QUEUE, workflows=[PruneWorkflow], activities=[prune],
        workflow_runner=sandbox(),
    ):  # fmt: skip
        yield


async def run(client: Client, name: str) -> PruneResult:
    return await client.execute_workflow(
        PruneWorkflow.run, PruneRequest(SERVER), id=name, task_queue=CONTROL_QUEUE
    )


class Calls:
    """Answers each call as given, the last answer for ever."""

    def __init__(self, *answers: PruneResult | ApplicationError) -> None:
        self._answers = list(answers)
        self.given: list[PruneInput] = []

    @activity.defn(name="prune_deployments")
    async def prune(self, given: PruneInput) -> PruneResult:
        self.given.append(given)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, ApplicationError):
            raise answer
        return answer


async def test_it_calls_until_nothing_is_left_however_long_the_database_is_away(
    client: Client,
) -> None:
    away = ApplicationError("the database does not answer", type=Reason.INTERNAL)
    calls = Calls(
        PruneResult(500, more=True, skipped=["app_b"]), away,
        PruneResult(7, skipped=["app_a", "app_b"]),
    )  # fmt: skip
    async with working(client, calls.prune):
        result = await run(client, "prune-until-done")

    assert result == PruneResult(507, more=False, skipped=["app_a", "app_b"])
    assert calls.given == [PruneInput(SERVER)] * 3


async def test_a_run_is_bounded_and_leaves_the_rest_to_the_next(client: Client) -> None:
    calls = Calls(PruneResult(500, more=True))
    async with working(client, calls.prune):
        result = await run(client, "prune-bounded")

    assert result == PruneResult(10_000, more=True)
    assert len(calls.given) == 20


async def test_old_deployments_are_deleted_and_told(client: Client, store: Store) -> None:
    application = await new_application(store, keep_deployments={"count": 2})
    made = [await new_deployment(store, application) for _ in range(25)]
    async with store.write() as tx:
        for one in made:
            await lifecycle.failed(tx, one, Reason.UNHEALTHY, "no")

    async with working(client, PruneActivities(Pruning(store, keep_releases=5)).prune):
        result = await run(client, "prune-old")

    assert result == PruneResult(23)
    told = [await events_of(store, one) for one in made]
    assert [kinds[-1] == "deployment.deleted" for kinds in told] == [True] * 23 + [False] * 2


async def test_a_schedule_starts_it_for_each_server(client: Client) -> None:
    for _ in range(2):  # a second start of the control worker changes the schedule
        await ensure_scheduled(client, "eu-1")

    described = await client.get_schedule_handle(prune_schedule("eu-1")).describe()

    action: Any = described.schedule.action
    assert (action.workflow, action.id) == ("PruneWorkflow", "prune/eu-1")
    assert json.loads(action.args[0].data) == {"server": "eu-1"}
    assert [one.every for one in described.schedule.spec.intervals] == [PRUNE_EVERY]
