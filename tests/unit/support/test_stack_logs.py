"""A test that fails shows the ends of the logs of its stacks."""

from pathlib import Path

import pytest

from tests.support import stack_logs, stalls


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "t1" / "logs").mkdir(parents=True)
    (tmp_path / "t1" / "up.log").write_text("")
    (tmp_path / "t1" / "logs" / "api.log").write_text("x" * 10_000 + "the end")
    return tmp_path / "t1"


def test_stacks_that_run_are_shown_each_time(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "files", {data / "stalls.jsonl": 0})

    for _ in range(2):
        [(title, text)] = stack_logs.take()
        assert title == "end of t1/api.log"
        assert text.endswith("xxthe end")
        assert len(text) == 6_000


def test_stacks_that_are_gone_are_shown_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "files", {})
    stack_logs.keep(data)

    assert [title for title, _ in stack_logs.take()] == ["end of t1/api.log"]
    assert stack_logs.take() == []
