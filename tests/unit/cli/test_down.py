"""`aweigh down`: what it does with the answer to its question."""

import io
from pathlib import Path

import pytest

from cli.down import down


@pytest.mark.parametrize("answer", ["", "\n", "yes\n"])
def test_without_the_word_nothing_is_removed(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWEIGH_DATA", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    (tmp_path / "stack.lock").touch()

    down(purge=True, yes=False)

    assert "Nothing was removed." in capsys.readouterr().out
    assert (tmp_path / "stack.lock").exists()
