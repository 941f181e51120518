"""Small files that are written whole or not at all."""

from pathlib import Path

import pytest

from aweigh.core.files import write_durably


def test_a_file_is_written(tmp_path: Path) -> None:
    write_durably(tmp_path / "file", "ü\n")

    assert (tmp_path / "file").read_text() == "ü\n"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_has_the_mode_that_was_asked_for(tmp_path: Path, mode: int) -> None:
    write_durably(tmp_path / "file", "x", mode=mode)

    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_a_file_is_readable_by_its_owner_only_unless_asked_for(tmp_path: Path) -> None:
    write_durably(tmp_path / "file", "x")

    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_file_is_replaced_by_a_rename(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durably(path, "old")
    with path.open() as reader:
        write_durably(path, "new")

        assert (reader.read(), path.read_text()) == ("old", "new")


def test_what_an_earlier_attempt_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "temporary").write_text("half of something that was longer")

    write_durably(tmp_path / "file", "new", tmp_path / "temporary")

    assert (tmp_path / "file").read_text() == "new"
    assert not (tmp_path / "temporary").exists()


def test_a_file_that_cannot_be_written_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durably(path, "old")

    with pytest.raises(OSError, match="No such file or directory"):
        write_durably(path, "new", tmp_path / "nowhere" / "temporary")
    with pytest.raises(UnicodeEncodeError):
        write_durably(path, "\ud800")

    assert path.read_text() == "old"
