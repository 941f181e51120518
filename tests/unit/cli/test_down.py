"""`aweigh down`: what it does with the answer to its question."""

import io
from pathlib import Path

import pytest

from cli.down import down
from worker.lock import hold


@pytest.mark.parametrize("answer", ["", "\n", "yes\n"])
def test_without_the_word_nothing_is_removed(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWEIGH_DATA", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    (tmp_path / "stack.lock").touch()

    with pytest.raises(SystemExit) as ended:
        down(purge=True, yes=False)

    assert ended.value.code == 1  # a script must not take it for done
    assert "Nothing was stopped or removed." in capsys.readouterr().out
    assert (tmp_path / "stack.lock").exists()


def test_nothing_is_removed_of_data_that_somebody_works_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWEIGH_DATA", str(tmp_path))

    with hold(tmp_path), pytest.raises(SystemExit):
        down(purge=True, yes=True)

    assert "another stack uses" in capsys.readouterr().err
    assert (tmp_path / "stack.lock").exists()


def test_what_is_not_aweighs_data_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWEIGH_DATA", str(tmp_path))
    (tmp_path / "letter").touch()

    with pytest.raises(SystemExit):
        down(purge=True, yes=True)

    assert "does not look like an Aweigh data directory" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["letter"]
