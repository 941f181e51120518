"""What is read of a repository, from a real server."""

from typing import Any

import pytest

from aweigh.builds.source.history import History
from aweigh.deployments.deployment import Reason
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import StepFailed
from tests.support.git_server import GitServer

FORK = "refs/pull/1/head"


def source(git: GitServer, **given: Any) -> GitSource:
    return GitSource(repository=git.url("shop"), **given)


async def test_a_commit_in_the_branchs_history_is_reachable(
    git: GitServer, history: History
) -> None:
    commits = [git.push("shop", {"number": str(number)}) for number in range(3)]

    for commit in commits:
        await history.ensure_reachable(source(git), commit)

    assert len(set(commits)) == 3


async def test_where_another_branch_or_a_tag_stands_is_reachable(
    git: GitServer, history: History
) -> None:
    git.push("shop", {})
    tagged = git.push("shop", {"number": "1"}, "refs/tags/v1")
    other = git.push("shop", {"number": "2"}, "other")

    for commit in (tagged, other):
        await history.ensure_reachable(source(git), commit)

    assert tagged != other


@pytest.mark.parametrize("branch", ["main", "gone"])
async def test_a_commit_of_a_fork_is_not_the_repositorys(
    git: GitServer, history: History, branch: str
) -> None:
    git.push("shop", {})
    forked = git.push("shop", {"stolen": "yes"}, FORK)

    with pytest.raises(StepFailed) as raised:
        await history.ensure_reachable(source(git, branch=branch), forked)

    assert raised.value.reason is Reason.COMMIT_NOT_ON_BRANCH
    assert f"{forked[:12]} is not the tip of a branch or tag of {git.url('shop')}" in str(
        raised.value
    )


async def test_a_change_has_its_wish_to_be_skipped_and_the_paths_below_any_directory(
    git: GitServer, history: History
) -> None:
    before = git.push("shop", {"README.md": "1", "web/x.py": "1", "old": "1"})
    files = {"web/x.py": "2", "a b/\u00e9\t": "1", "old": None}
    commit = git.push("shop", files, message="one\n\nskip-checks: true")

    change = await history.change(source(git, paths=("web",)), before, commit)
    unknown = await history.change(source(git, paths=("web",)), "1" * 40, commit)

    assert change.skips
    assert set(change.paths or ()) == {"web/x.py", "a b/\u00e9\t", "old"}
    assert unknown.paths is None


async def test_a_commit_that_a_forced_push_took_away_is_reachable_no_more(
    git: GitServer, history: History
) -> None:
    first = git.push("shop", {})
    second = git.push("shop", {"number": "2"})
    await history.ensure_reachable(source(git), second)
    git.move("shop", "main", first)

    with pytest.raises(StepFailed) as raised:
        await history.ensure_reachable(source(git), second)

    assert raised.value.reason is Reason.COMMIT_NOT_ON_BRANCH
