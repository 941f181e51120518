"""Repositories on real servers, and a place to clone them to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aweigh.builds.source.clone import Clone
from aweigh.builds.source.git import Git
from aweigh.builds.source.history import History
from aweigh.builds.source.targets import Targets
from aweigh.core.private_target import PrivateTarget
from aweigh.deployments.source import GitSource
from tests.support.git_server import GitServer, git_server

#: Everything is on 127.0.0.1 here, so that 127.0.0.2 is a private network nobody opened.
TARGETS = Targets((PrivateTarget.parse("127.0.0.1/32"),))


@dataclass
class Cloning:
    """One deployment's directory, and what a log would have."""

    place: Path
    lines: list[str] = field(default_factory=list)

    @property
    def clone(self) -> Path:
        return self.place / "source"

    async def have(self, repository: str, commit: str, **settings: Any) -> Path:
        source = GitSource(repository=repository, **settings)
        await Clone(TARGETS, self.place, self.lines.append).have(source, commit, self.clone)
        return self.clone

    async def commit_of(self, repository: str, ref: str | None = None, **settings: Any) -> str:
        source = GitSource(repository=repository, **settings)
        return await Git(TARGETS).commit_of(source, ref, self.place)

    def text(self, path: str) -> str:
        return (self.clone / path).read_text()

    @property
    def left_beside(self) -> list[str]:
        """What lies in the deployment's directory beside its clone."""
        return [one.name for one in self.place.iterdir() if one.name != "source"]


@pytest.fixture
def cloning(tmp_path: Path) -> Cloning:
    return Cloning(tmp_path / "deployment")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(TARGETS, tmp_path / "scratch")


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "here") as server:
        yield server


@pytest.fixture
def other(tmp_path: Path) -> Iterator[GitServer]:
    """Somebody else's server."""
    with git_server(tmp_path / "there") as server:
        yield server
