"""What programs print: a line for a line, until the log is as long as it may be."""

import base64
from pathlib import Path

import pytest

from aweigh.secrets.masking import HIDDEN
from aweigh.secrets.value import OutputMask
from aweigh.servers.journal import Journal
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


@pytest.mark.parametrize("batch", [1, 5, 20, 60])
@pytest.mark.parametrize(
    ("width", "prefix"), [(76, ""), (12, ""), (60, "remote: "), (76, "#7 0.25 "), (40, "  | ")]
)
@pytest.mark.parametrize("encoded", [False, True])
def test_a_long_secret_is_hidden_to_its_end_however_it_arrives(
    tmp_path: Path, batch: int, width: int, prefix: str, encoded: bool
) -> None:
    journal = Journal(tmp_path, WorkerApi().client())
    secret = "".join(f"{number}-key-" for number in range(200))
    printed = base64.b64encode(secret.encode()).decode() if encoded else secret
    lines = [f"{prefix}{printed[at : at + width]}" for at in range(0, len(printed), width)]

    for at in range(0, len(lines), batch):
        journal.write_output(ONE, lines[at : at + batch], [secret])
    journal.write_output(ONE, ["and so on"], [secret])

    shown = written(journal, tmp_path)
    assert len(shown) == len(lines) + 1
    assert {line.removeprefix(prefix) for line in shown} == {HIDDEN, "and so on"}


def test_what_stands_before_is_looked_at_no_further_than_a_secret_may_reach() -> None:
    printed = OutputMask()

    for _ in range(100):
        assert printed.masked(["-" * 200], ["-" * 12]) == [HIDDEN]

    assert sum(map(len, printed._before)) < 5000


def test_a_full_log_says_so_once_and_takes_no_more_output(journal: Journal, tmp_path: Path) -> None:
    for number in range(50):
        journal.write_output(ONE, [f"{number:02}{'x' * 98}"], [])
    journal.write_output(ONE, ["short"], [])
    journal.write(ONE, "a step failed", [])

    lines = written(journal, tmp_path)
    assert [line[:2] for line in lines[:8]] == [f"{number:02}" for number in range(8)]
    assert "records no more of it" in lines[8]
    assert lines[9:] == ["a step failed"]


def test_a_batch_that_fills_the_log_is_cut_at_a_line(journal: Journal, tmp_path: Path) -> None:
    journal.write_output(ONE, ["x" * 99] * 1000, [])

    assert journal.length(ONE) < 1000 + 125 + 250
    assert "records no more of it" in written(journal, tmp_path)[-1]
