"""What is read of a repository, from a real git server."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aweigh.adapters.git import Git
from aweigh.domain.deployment import Reason
from aweigh.domain.errors import StepFailed
from aweigh.domain.source import GitSource
from tests.support.git_server import GitServer, git_server

GIT = Git((ipaddress.ip_network("127.0.0.0/8"),))
FORK = "refs/pull/1/head"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path) as running:
        yield running


def source(server: GitServer, **given: Any) -> GitSource:
    return GitSource(repository=server.url("shop"), **given)


async def test_a_commit_in_the_branchs_history_is_reachable(server: GitServer) -> None:
    commits = [server.push("shop", {"number": str(number)}) for number in range(3)]

    for commit in commits:
        await GIT.ensure_reachable(source(server), commit)

    assert len(set(commits)) == 3


async def test_where_another_branch_or_a_tag_stands_is_reachable(server: GitServer) -> None:
    server.push("shop", {})
    tagged = server.push("shop", {"number": "1"}, "refs/tags/v1")
    other = server.push("shop", {"number": "2"}, "other")

    for commit in (tagged, other):
        await GIT.ensure_reachable(source(server), commit)

    assert tagged != other


@pytest.mark.parametrize("branch", ["main", "gone"])
async def test_a_commit_of_a_fork_is_not_the_repositorys(server: GitServer, branch: str) -> None:
    server.push("shop", {})
    forked = server.push("shop", {"stolen": "yes"}, FORK)

    with pytest.raises(StepFailed) as raised:
        await GIT.ensure_reachable(source(server, branch=branch), forked)

    assert raised.value.reason is Reason.COMMIT_NOT_ON_BRANCH
    assert f"{forked[:12]} is neither a branch or tag of {server.url('shop')}" in str(raised.value)


async def test_a_change_has_its_message_and_the_paths_below_any_directory(
    server: GitServer,
) -> None:
    before = server.push("shop", {"README.md": "1", "web/x.py": "1", "old": "1"})
    files = {"web/x.py": "2", "a b/\u00e9": "1", "old": None}
    commit = server.push("shop", files, message="one\n\ntwo")

    change = await GIT.change(source(server, paths=("web",)), before, commit)
    unknown = await GIT.change(source(server, paths=("web",)), "1" * 40, commit)

    assert change.message.strip() == "one\n\ntwo"
    assert set(change.paths or ()) == {"web/x.py", "a b/\u00e9", "old"}
    assert unknown.paths is None


async def test_a_commit_that_a_forced_push_took_away_is_reachable_no_more(
    server: GitServer,
) -> None:
    first = server.push("shop", {})
    second = server.push("shop", {"number": "2"})
    await GIT.ensure_reachable(source(server), second)
    server.move("shop", "main", first)

    with pytest.raises(StepFailed) as raised:
        await GIT.ensure_reachable(source(server), second)

    assert raised.value.reason is Reason.COMMIT_NOT_ON_BRANCH
