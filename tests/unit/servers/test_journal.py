"""What a server worker tells of its deployments: on disk first, sent as soon as it is taken."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from dirty_equals import IsStr

from aweigh.contract import StepReport
from aweigh.deployments.deployment import StepName, StepState
from aweigh.secrets.masking import HIDDEN
from aweigh.servers.journal import Journal
from tests.support.worker_api import WorkerApi

ONE, TWO = "dep_1", "dep_2"


@pytest.fixture
def api() -> WorkerApi:
    return WorkerApi()


@pytest.fixture
def journal(api: WorkerApi, tmp_path: Path) -> Journal:
    return Journal(tmp_path, api.client())


def report(**fields: Any) -> StepReport:
    running: dict[str, Any] = {"state": StepState.RUNNING, "run_id": "run-1", "attempt": 1}
    return StepReport(**running | fields)


def lines(api: WorkerApi, deployment_id: str = ONE) -> list[str]:
    """The lines that the API has, without their times."""
    return [line.partition(" ")[2] for line in api.text(deployment_id).splitlines()]


@asynccontextmanager
async def shipping(journal: Journal) -> AsyncIterator[None]:
    task = asyncio.create_task(journal.ship())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(condition: Any) -> None:
    async with asyncio.timeout(300):
        while not condition():
            await asyncio.sleep(0.01)


async def test_lines_stand_behind_their_time(journal: Journal, api: WorkerApi) -> None:
    journal.write(ONE, "one\ntwo", [])
    await journal.flush(ONE)

    assert api.text(ONE) == IsStr(regex=r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (one|two)\n){2}")
    assert lines(api) == ["one", "two"]


async def test_lines_are_sent_by_themselves(journal: Journal, api: WorkerApi) -> None:
    async with shipping(journal):
        journal.write(ONE, "one", [])
        journal.write(TWO, "two", [])
        journal.report(ONE, StepName.PULL, report())

        await until(lambda: api.text(ONE) and api.text(TWO) and api.steps)


async def test_lines_wait_on_disk_while_the_api_is_away(journal: Journal, api: WorkerApi) -> None:
    api.away = True
    journal.write(ONE, "one", [])
    await journal.flush(ONE)
    journal.write(ONE, "two", [])
    await journal.flush(ONE)
    assert api.logs == {}

    api.away = False
    await journal.flush(ONE)

    assert lines(api) == ["one", "two"]


async def test_lines_outlive_the_worker(journal: Journal, api: WorkerApi, tmp_path: Path) -> None:
    journal.write(ONE, "one", [])
    await journal.flush(ONE)
    journal.write(ONE, "two", [])

    again = Journal(tmp_path, api.client())
    again.write(ONE, "three", [])
    await again.flush(ONE)

    assert lines(api) == ["one", "two", "three"]


async def test_what_is_left_of_an_earlier_worker_is_sent_unasked(
    journal: Journal, api: WorkerApi, tmp_path: Path
) -> None:
    journal.write(ONE, "one", [])
    journal.report(ONE, StepName.PULL, report())

    async with shipping(Journal(tmp_path, api.client())):
        await until(lambda: api.text(ONE) and api.steps)


async def test_an_answer_that_is_lost_doubles_nothing(journal: Journal, api: WorkerApi) -> None:
    for number in range(4):
        journal.write(ONE, f"line {number}", [])
        api.lost_answers = number % 2
        await journal.flush(ONE)
    await journal.flush(ONE)

    assert lines(api) == [f"line {number}" for number in range(4)]


async def test_a_long_log_travels_in_chunks(journal: Journal, api: WorkerApi) -> None:
    journal.write(ONE, "\n".join("x" * 1000 for _ in range(1000)), [])

    await journal.flush(ONE)

    assert lines(api) == ["x" * 1000] * 1000
    assert max(len(request.content) for request in api.requests) == 256 * 1024


async def test_an_absence_in_the_middle_of_a_long_log_loses_nothing(
    journal: Journal, api: WorkerApi
) -> None:
    journal.write(ONE, "\n".join("x" * 1000 for _ in range(1000)), [])
    api.lost_answers = 3
    for _ in range(4):
        await journal.flush(ONE)

    assert lines(api) == ["x" * 1000] * 1000


async def test_logs_do_not_mix(journal: Journal, api: WorkerApi) -> None:
    for number in range(3):
        journal.write(ONE, f"one {number}", [])
        journal.write(TWO, f"two {number}", [])
        await journal.flush(ONE)
    await journal.flush(TWO)

    assert lines(api, ONE) == ["one 0", "one 1", "one 2"]
    assert lines(api, TWO) == ["two 0", "two 1", "two 2"]


async def test_an_api_with_a_shorter_log_gets_the_rest_again(
    journal: Journal, api: WorkerApi
) -> None:
    journal.write(ONE, "one", [])
    await journal.flush(ONE)
    journal.write(ONE, "two", [])
    await journal.flush(ONE)

    del api.logs[ONE][10:]  # a database restored from a backup
    journal.write(ONE, "three", [])
    await journal.flush(ONE)

    assert lines(api) == ["one", "two", "three"]


@pytest.mark.parametrize("restart", [False, True])
async def test_an_api_that_lost_what_was_forgotten_here_gets_what_there_is(
    journal: Journal, api: WorkerApi, tmp_path: Path, restart: bool
) -> None:
    journal.write(ONE, "one", [])
    await journal.flush(ONE)
    journal.forget(ONE)
    journal.write(ONE, "two", [])
    await journal.flush(ONE)

    api.logs[ONE].clear()
    journal.write(ONE, "three", [])
    resumed = Journal(tmp_path, api.client()) if restart else journal
    for _ in range(2):
        await resumed.flush(ONE)

    assert lines(api) == ["two", "three"]


async def test_an_api_with_more_than_there_is_here_gets_what_comes(
    journal: Journal, api: WorkerApi, tmp_path: Path
) -> None:
    journal.write(ONE, "one", [])
    journal.write(ONE, "two", [])
    await journal.flush(ONE)

    with (tmp_path / ONE / "log").open("r+") as file:
        file.truncate(10)  # a power cut: the last lines never reached the disk
    resumed = Journal(tmp_path, api.client())
    await resumed.flush(ONE)
    resumed.write(ONE, "three", [])
    await resumed.flush(ONE)

    assert lines(api)[:2] == ["one", "two"]
    assert lines(api)[-1].endswith("three")


async def test_secrets_do_not_even_reach_the_disk(
    journal: Journal, api: WorkerApi, tmp_path: Path
) -> None:
    journal.write(ONE, "TOKEN=correct-horse and\nbattery", ["correct-horse", "battery\nstaple"])
    await journal.flush(ONE)

    assert lines(api) == [f"TOKEN={HIDDEN} and", HIDDEN]
    assert "horse" not in (tmp_path / ONE / "log").read_text()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", ["\\x1b[31mred\\x1b[0m"]),
        ("a\tb", ["a\tb"]),
        ("1 %\r2 %\rdone", ["1 %", "2 %", "done"]),
        ("a\x00b\x07", ["a\\x00b\\x07"]),
        ("ünïcödé ✓ 日本", ["ünïcödé ✓ 日本"]),
        ("\u202eevil", ["\\x202eevil"]),
        ("half \ud800 one", ["half \\xd800 one"]),
        ("data: x\n\nevent: end", ["data: x", "", "event: end"]),
    ],
    ids=range(8),
)
async def test_control_characters_are_made_harmless(
    journal: Journal, api: WorkerApi, text: str, shown: list[str]
) -> None:
    journal.write(ONE, text, [])
    await journal.flush(ONE)

    assert lines(api) == shown


async def test_a_disk_that_is_full_for_one_does_not_end_the_sending(
    journal: Journal, api: WorkerApi, tmp_path: Path
) -> None:
    journal.write(ONE, "cannot be noted", [])
    (tmp_path / ONE / ".base.new").mkdir()  # what is written there fails

    async with shipping(journal):
        await until(lambda: api.requests)
        journal.write(TWO, "goes on", [])
        await until(lambda: lines(api, TWO) == ["goes on"])


async def test_what_cannot_be_written_down_is_in_nobodys_way(
    journal: Journal, api: WorkerApi, tmp_path: Path
) -> None:
    (tmp_path / ONE).write_text("where the directory should be")

    journal.write(ONE, "a line", [])
    journal.report(ONE, StepName.CREATE, report())
    await journal.flush(ONE)

    assert api.text(ONE) == ""
