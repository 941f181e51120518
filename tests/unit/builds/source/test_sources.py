"""A repository's files on their way into a build."""

import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from aweigh.builds.project_file import Project
from aweigh.builds.source.files import FileOwner, project_of, tree_archive
from aweigh.deployments.step_errors import StepFailed


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for path in ("src/main.py", "src/data/a.csv", "docs/deep/er.md", ".git/config", "x.log"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "linked").symlink_to("docs")
    return tmp_path


def names(directory: Path, takes: Callable[[str], bool] | None) -> list[str]:
    with (
        tree_archive(directory, "/workspace", FileOwner(1000, 1000), takes) as archive,
        tarfile.open(fileobj=archive) as tar,
    ):
        return sorted(tar.getnames())


def test_everything_but_gits_own_is_taken(repository: Path) -> None:
    assert names(repository, None) == [
        "workspace", "workspace/docs", "workspace/docs/deep", "workspace/docs/deep/er.md",
        "workspace/linked", "workspace/src", "workspace/src/data", "workspace/src/data/a.csv",
        "workspace/src/main.py", "workspace/x.log",
    ]  # fmt: skip


def test_of_files_that_are_left_out_no_directory_stays(repository: Path) -> None:
    project = Project(exclude=("docs/", "*.csv", "linked"))

    assert names(repository, project.selection) == [
        "workspace", "workspace/src", "workspace/src/main.py", "workspace/x.log",
    ]  # fmt: skip


def test_an_archive_lies_on_the_disk_of_its_files(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null")

    assert "workspace/src/main.py" in names(repository, None)


def test_the_file_that_says_so_is_read(repository: Path) -> None:
    (repository / "project.toml").write_text('[io.buildpacks]\nexclude = ["docs/"]')

    assert project_of(repository) == Project(exclude=("docs/",))


@pytest.mark.parametrize("kind", ["none", "link", "directory"])
def test_where_it_is_no_file_nothing_is_said(repository: Path, tmp_path: Path, kind: str) -> None:
    place = repository / "project.toml"
    if kind == "link":
        (outside := tmp_path / "outside.toml").write_text('[build]\nexclude = ["src/"]')
        place.symlink_to(outside)
    if kind == "directory":
        place.mkdir()

    assert project_of(repository) == Project()


@pytest.mark.parametrize("content", [b"[build", b"\xff\xfe", b"#" * 70_000])
def test_one_that_cannot_be_understood_is_refused(repository: Path, content: bytes) -> None:
    (repository / "project.toml").write_bytes(content)

    with pytest.raises(StepFailed, match=r"project.toml cannot be understood: .*Correct it"):
        project_of(repository)
