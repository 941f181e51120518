"""Step reports: on disk until the API has taken them, a later one in the place of an earlier."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from aweigh.contract import StepReport
from aweigh.deployments.deployment import StepName, StepState
from aweigh.servers.journal import Journal
from tests.support.worker_api import WorkerApi

ONE, TWO = "dep_1", "dep_2"
PULL = StepName.PULL


@pytest.fixture
def api() -> WorkerApi:
    return WorkerApi()


@pytest.fixture
def journal(api: WorkerApi, tmp_path: Path) -> Journal:
    return Journal(tmp_path, api.client())


def report(**fields: Any) -> StepReport:
    running: dict[str, Any] = {"state": StepState.RUNNING, "run_id": "run-1", "attempt": 1}
    return StepReport(**running | fields)


def left(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


async def test_a_report_is_sent_and_no_longer_kept(
    journal: Journal, api: WorkerApi, tmp_path: Path
) -> None:
    journal.report(ONE, PULL, report(detail="1 of 2 layers"))

    await journal.flush(ONE)

    assert api.steps == {(ONE, "pull"): report(detail="1 of 2 layers")}
    assert left(tmp_path) == []


async def test_a_later_report_takes_the_place_of_an_earlier_one(
    journal: Journal, api: WorkerApi
) -> None:
    journal.report(ONE, PULL, report())
    journal.report(ONE, PULL, report(state=StepState.SUCCEEDED))

    await journal.flush(ONE)

    assert [StepReport.model_validate_json(one.content).state for one in api.requests] == [
        StepState.SUCCEEDED
    ]


async def test_reports_wait_on_disk_while_the_api_is_away(
    journal: Journal, api: WorkerApi, tmp_path: Path
) -> None:
    api.away = True
    journal.report(ONE, PULL, report())
    journal.report(ONE, StepName.CREATE, report())
    await journal.flush(ONE)

    api.away = False
    await Journal(tmp_path, api.client()).flush(ONE)

    assert api.steps.keys() == {(ONE, "pull"), (ONE, "create")}


async def test_a_report_that_comes_while_another_is_sent_is_not_lost(
    journal: Journal, api: WorkerApi
) -> None:
    journal.report(ONE, PULL, report())
    flushing = asyncio.create_task(journal.flush(ONE))
    while not api.requests:
        await asyncio.sleep(0)
    journal.report(ONE, PULL, report(state=StepState.SUCCEEDED))
    await flushing

    await journal.flush(ONE)

    assert api.steps[ONE, "pull"].state is StepState.SUCCEEDED


async def test_nobody_asks_for_the_steps_of_what_has_ended(
    journal: Journal, api: WorkerApi, tmp_path: Path
) -> None:
    api.ended.add(ONE)
    journal.report(ONE, PULL, report())
    journal.write(ONE, "the last line", [])

    await journal.flush(ONE)

    assert left(tmp_path) == ["base", "log"]
    assert "the last line" in api.text(ONE)


async def test_a_report_that_a_power_cut_tore_holds_nothing_up(
    journal: Journal, api: WorkerApi, tmp_path: Path
) -> None:
    journal.report(ONE, StepName.CREATE, report())
    journal.report(ONE, PULL, report())
    (tmp_path / ONE / "create.step").write_text("")
    journal.write(ONE, "one", [])

    await journal.flush(ONE)

    assert api.steps.keys() == {(ONE, "pull")}
    assert api.text(ONE)
    assert left(tmp_path) == ["base", "log"]


async def test_a_deployment_that_the_api_refuses_holds_no_other_up(
    journal: Journal, api: WorkerApi
) -> None:
    api.refused.add(ONE)
    journal.report(ONE, PULL, report())
    journal.write(ONE, "one", [])
    journal.write(TWO, "two", [])

    task = asyncio.create_task(journal.ship())
    async with asyncio.timeout(300):
        while not api.text(TWO):
            await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert ONE not in api.logs
