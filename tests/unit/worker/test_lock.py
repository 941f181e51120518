"""The lock on an installation's data."""

from pathlib import Path

import pytest

from aweigh.core.errors import StartupError
from worker.lock import hold, running_stack


def test_one_at_a_time_holds_it(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(StartupError, match="another stack uses"):
        hold(tmp_path)

    hold(tmp_path).close()


def test_a_stack_runs_as_long_as_it_holds_it(tmp_path: Path) -> None:
    before = running_stack(tmp_path)
    with hold(tmp_path) as lock:
        lock.write("17")
        lock.flush()
        held = running_stack(tmp_path)

    assert (before, held, running_stack(tmp_path)) == (None, 17, None)


def test_what_removes_the_data_is_no_stack_that_could_be_stopped(tmp_path: Path) -> None:
    with hold(tmp_path) as lock:
        lock.write("17")

    with hold(tmp_path):
        assert running_stack(tmp_path) is None
