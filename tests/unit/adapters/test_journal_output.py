"""What programs print: a line for a line, until the log is as long as it may be."""

import base64
from pathlib import Path

import pytest

from aweigh.adapters.journal import Journal
from aweigh.domain.secret import HIDDEN
from tests.support.worker_api import WorkerApi

ONE = "dep_1"
_STAMP = len("2026-11-23T07:11:08.123Z ")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, WorkerApi().client(), output_bytes=1000)


def written(journal: Journal, directory: Path) -> list[str]:
    text = (directory / ONE / "log").read_text()
    assert len(text.encode()) == journal.length(ONE)
    return [line[_STAMP:] for line in text.splitlines()]


def test_every_line_is_one_whatever_is_in_it(journal: Journal, tmp_path: Path) -> None:
    secret = "first line of a key\nx\nlast line of it"

    journal.write_output(ONE, ["", "a\rb\x1b[2J\u2028c", "", *secret.split("\n"), ""], [secret])

    hidden = [HIDDEN] * 3
    assert written(journal, tmp_path) == ["", "a\\x0db\\x1b[2J\\x2028c", "", *hidden, ""]
    assert journal.lines_behind(ONE, 0) == written(journal, tmp_path)


def test_a_secret_that_is_wrapped_into_the_next_batch_is_hidden_there_too(
    journal: Journal, tmp_path: Path
) -> None:
    secret = "correct-horse-battery-staple"
    printed = base64.b64encode(f"ci:{secret}".encode()).decode()

    for line in (f"Basic {printed[:24]}", printed[24:], "done"):
        journal.write_output(ONE, [line], [secret])

    assert written(journal, tmp_path) == [f"Basic Y2k6{HIDDEN}", HIDDEN, "done"]


def test_a_full_log_says_so_once_and_takes_no_more_output(journal: Journal, tmp_path: Path) -> None:
    for number in range(50):
        journal.write_output(ONE, [f"{number:02}{'x' * 98}"], [])
    journal.write_output(ONE, ["short"], [])
    journal.write(ONE, "a step failed", [])

    lines = written(journal, tmp_path)
    assert [line[:2] for line in lines[:8]] == [f"{number:02}" for number in range(8)]
    assert "the log takes no more of it" in lines[8]
    assert lines[9:] == ["a step failed"]


def test_a_batch_that_fills_the_log_is_cut_at_a_line(journal: Journal, tmp_path: Path) -> None:
    journal.write_output(ONE, ["x" * 99] * 1000, [])

    assert journal.length(ONE) < 1000 + 125 + 250
    assert "the log takes no more of it" in written(journal, tmp_path)[-1]
