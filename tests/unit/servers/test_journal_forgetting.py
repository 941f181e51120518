"""A deployment's files are removed once everything in them was sent, and nothing is lost by it."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aweigh.contract import StepReport
from aweigh.deployments.deployment import StepName, StepState
from aweigh.servers.journal import Journal
from tests.support.worker_api import WorkerApi

ONE = "dep_1"


@pytest.fixture
def api() -> WorkerApi:
    return WorkerApi()


@pytest.fixture
def journal(api: WorkerApi, tmp_path: Path) -> Journal:
    return Journal(tmp_path, api.client())


def lines(api: WorkerApi) -> list[str]:
    return [line.partition(" ")[2] for line in api.text(ONE).splitlines()]


async def test_what_was_sent_is_forgotten(journal: Journal, tmp_path: Path) -> None:
    journal.write(ONE, "one", [])
    await journal.flush(ONE)

    journal.forget(ONE)

    assert list(tmp_path.iterdir()) == []


async def test_what_was_not_sent_is_kept(journal: Journal, api: WorkerApi) -> None:
    journal.write(ONE, "one", [])
    await journal.flush(ONE)
    journal.write(ONE, "two", [])

    journal.forget(ONE)
    await journal.flush(ONE)

    assert lines(api) == ["one", "two"]


async def test_a_report_that_was_not_sent_is_kept(journal: Journal, api: WorkerApi) -> None:
    journal.write(ONE, "one", [])
    await journal.flush(ONE)
    journal.report(ONE, StepName.SWEEP, StepReport(state=StepState.FAILED, run_id="r", attempt=1))

    journal.forget(ONE)
    await journal.flush(ONE)

    assert (ONE, "sweep") in api.steps


def test_what_is_not_there_can_be_forgotten(journal: Journal) -> None:
    journal.forget(ONE)


@pytest.mark.parametrize("restart", [False, True])
async def test_lines_after_forgetting_follow_those_before(
    journal: Journal, api: WorkerApi, tmp_path: Path, restart: bool
) -> None:
    for number in range(3):
        journal.write(ONE, f"line {number}", [])
        await journal.flush(ONE)
        journal.forget(ONE)
    if restart:
        journal = Journal(tmp_path, api.client())
    journal.write(ONE, "last", [])
    await journal.flush(ONE)

    assert lines(api) == ["line 0", "line 1", "line 2", "last"]


async def test_a_lost_answer_after_forgetting_doubles_nothing(
    journal: Journal, api: WorkerApi
) -> None:
    journal.write(ONE, "one", [])
    await journal.flush(ONE)
    journal.forget(ONE)
    journal.write(ONE, "two", [])
    api.lost_answers = 2
    for _ in range(4):
        await journal.flush(ONE)

    assert lines(api) == ["one", "two"]


_actions = st.lists(
    st.sampled_from(["write", "flush", "away", "back", "lose", "restart", "forget"]), max_size=25
)


async def _act(actions: list[str], directory: Path) -> tuple[list[str], list[str]]:
    api = WorkerApi()
    journal = Journal(directory, api.client())
    written: list[str] = []
    for action in actions:
        match action:
            case "write":
                written.append(f"line {len(written)}")
                journal.write(ONE, written[-1], [])
            case "flush":
                await journal.flush(ONE)
            case "away" | "back":
                api.away = action == "away"
            case "lose":
                api.lost_answers += 1
            case "restart":
                journal = Journal(directory, api.client())
            case "forget":
                journal.forget(ONE)
    api.away, api.lost_answers = False, 0
    await journal.flush(ONE)
    return written, lines(api)


@given(_actions)
def test_whatever_happens_every_line_arrives_once_and_in_order(actions: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        written, arrived = asyncio.run(_act(actions, Path(directory)))

    assert arrived == written
