"""A build's output in a deployment's log: every line once, whatever dies, while there is room."""

from pathlib import Path
from typing import Any, cast

import pytest

from aweigh.builds.log import BuildLog
from aweigh.engine.output import Line
from aweigh.servers.journal import Journal
from aweigh.servers.running_step import RunningStep
from tests.support.worker_api import WorkerApi

ONE = "dep_1"
_STAMP = len("2026-11-23T07:11:08.123Z ")
#: As containers print: progress bars, empty lines, and one after the other in batches.
PRINTED = ["one", "", "10%\r20%\r100%", "two\r", "", "", "three"]
SHOWN = ["one", "", "10%", "20%", "100%", "two", "", "", "three"]


class Step:
    """What a build's log asks of its step, on a real journal."""

    def __init__(self, journal: Journal, secrets: tuple[str, ...] = ()) -> None:
        self._journal = journal
        self.secrets = list(secrets)

    def log_output(self, lines: list[str]) -> None:
        self._journal.write_output(ONE, lines, [])

    def log_length(self) -> int:
        return self._journal.length(ONE)

    def lines_behind(self, length: int) -> list[str]:
        return self._journal.lines_behind(ONE, length)


def reader(directory: Path, **options: Any) -> BuildLog:
    journal = Journal(directory, WorkerApi().client(), **options)
    return BuildLog(cast(RunningStep, Step(journal)), directory / "read")


def lines(texts: list[str]) -> list[Line]:
    return [Line(f"2026-11-23T07:11:08.{number:09}Z", text) for number, text in enumerate(texts)]


def read_on(log: BuildLog, printed: list[Line], at_once: int) -> None:
    after = log.begin("builder")
    rest = [line for line in printed if line.at > after]
    for first in range(0, len(rest), at_once):
        log.take(rest[first : first + at_once])


def shown(directory: Path) -> list[str]:
    return [line[_STAMP:] for line in (directory / ONE / "log").read_text().splitlines()]


@pytest.mark.parametrize("at_once", [1, 3, 100])
@pytest.mark.parametrize("dies_after", range(len(SHOWN) + 1))
def test_a_reader_that_dies_before_it_notes_what_it_wrote(
    tmp_path: Path, dies_after: int, at_once: int
) -> None:
    read_on(reader(tmp_path), [], 1)
    note = (tmp_path / "read").read_text()
    read_on(reader(tmp_path), lines(PRINTED), 100)
    (tmp_path / "read").write_text(note)
    log = tmp_path / ONE / "log"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:dies_after]))

    read_on(reader(tmp_path), lines(PRINTED), at_once)

    assert shown(tmp_path) == SHOWN


def test_words_between_two_attempts_are_no_lines_of_the_build(tmp_path: Path) -> None:
    """A worker that is stopped, or an engine that is away for a moment, is told of in the log."""
    printed = lines(PRINTED)
    read_on(reader(tmp_path), printed[:2], 1)
    journal = Journal(tmp_path, WorkerApi().client())
    journal.write(ONE, "build: the engine does not answer", [])
    journal.write(ONE, "fetch again", [])
    note = (tmp_path / "read").read_text()
    read_on(reader(tmp_path), printed[:4], 1)
    (tmp_path / "read").write_text(note)

    read_on(reader(tmp_path), printed, 3)

    own = ["build: the engine does not answer", "fetch again"]
    assert shown(tmp_path) == SHOWN[:2] + own + SHOWN[2:]


def test_the_last_lines_are_told_by_a_reader_that_came_after_them(tmp_path: Path) -> None:
    printed = lines([f"line {number}" for number in range(20)])
    read_on(reader(tmp_path), printed, 7)

    log = reader(tmp_path)
    read_on(log, printed, 7)

    assert log.last_lines.splitlines() == [f"line {number}" for number in range(10, 20)]


@pytest.mark.parametrize("dies_after", [1, 5, 20, 39])
def test_a_full_log_is_read_on_without_a_word(tmp_path: Path, dies_after: int) -> None:
    flood = lines([f"{number:02}{'x' * 98}" for number in range(40)])
    read_on(reader(tmp_path, output_bytes=1000), flood[:dies_after], 3)

    read_on(reader(tmp_path, output_bytes=1000), flood, 3)

    assert [line[:2] for line in shown(tmp_path)] == [f"{number:02}" for number in range(8)] + [
        "Th"
    ]


def test_the_last_lines_tell_why_it_failed_and_no_secret_not_even_part_of_one(
    tmp_path: Path,
) -> None:
    """A line is cut at its width; what is hidden in it is hidden before."""
    secret = "s3cret-" * 10
    step = Step(Journal(tmp_path, WorkerApi().client()), secrets=(secret,))
    log = BuildLog(cast(RunningStep, step), tmp_path / "read")

    read_on(log, lines([*(f"line {number}" for number in range(20)), "x" * 130 + secret]), 7)

    told = log.last_lines.splitlines()
    assert told[0] == "line 11"
    assert len(told) == 10
    assert "s3cret" not in told[-1]


def test_the_last_lines_hold_no_end_of_a_secret_that_began_before_them(tmp_path: Path) -> None:
    secret = "".join(f"{number}-key-" for number in range(200))
    step = Step(Journal(tmp_path, WorkerApi().client()), secrets=(secret,))
    log = BuildLog(cast(RunningStep, step), tmp_path / "read")

    read_on(log, lines([secret[at : at + 60] for at in range(0, len(secret), 60)]), 7)

    assert set(log.last_lines.splitlines()) == {"**********"}
