"""The processes of a stack that was killed: found again, ended, and never mistaken."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from worker.children import list_processes, stop_left_over

IGNORE = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@contextmanager
def process(begin: str = "") -> Iterator["subprocess.Popen[str]"]:
    """One that runs until it is ended."""
    code = f"{begin}\nprint('runs', flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as started:  # fmt: skip
        assert started.stdout is not None
        assert started.stdout.readline() == "runs\n"
        yield started
        started.kill()


@pytest.mark.parametrize(("begin", "signal"), [("", -15), (IGNORE, -9)])
async def test_what_still_runs_is_ended(tmp_path: Path, begin: str, signal: int) -> None:
    with process(begin) as one, process() as other:
        list_processes(tmp_path, [one.pid])

        assert await stop_left_over(tmp_path, grace=0.5 if begin else 20) == 1

        assert one.wait() == signal
        assert other.poll() is None


async def test_another_process_of_the_same_number_is_left_alone(tmp_path: Path) -> None:
    with process() as one:
        list_processes(tmp_path, [one.pid])
        [notes] = tmp_path.iterdir()
        notes.write_text(notes.read_text().strip() + "1\n")

        assert await stop_left_over(tmp_path) == 0

        assert one.poll() is None


async def test_what_has_ended_is_none_of_them(tmp_path: Path) -> None:
    with process() as one:
        list_processes(tmp_path, [one.pid])
        one.kill()
        one.wait()

        assert await stop_left_over(tmp_path) == 0


async def test_where_no_stack_ran_nothing_is_left(tmp_path: Path) -> None:
    assert await stop_left_over(tmp_path) == 0
