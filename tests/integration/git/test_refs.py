"""Which commit a tag, a branch or a commit stands for, on a real server."""

import pytest

from aweigh.domain.deployment import Reason
from aweigh.domain.errors import StepFailed
from tests.integration.git.conftest import Cloning
from tests.support.git_server import GitServer


@pytest.mark.parametrize("annotated", [False, True])
async def test_a_tag_is_its_commit(git: GitServer, cloning: Cloning, annotated: bool) -> None:
    commit = git.push("shop", {"file": "1"})
    git.tag("shop", "v1", commit, annotated=annotated)
    git.push("shop", {"file": "2"})

    assert await cloning.commit_of(git.url("shop"), "v1") == commit


async def test_a_name_of_both_is_the_tag_unless_it_says_which(
    git: GitServer, cloning: Cloning
) -> None:
    tagged = git.push("shop", {"file": "1"})
    git.tag("shop", "both", tagged, annotated=True)
    branch = git.push("shop", {"file": "2"}, "both")
    url = git.url("shop")

    assert await cloning.commit_of(url, "both") == tagged
    assert await cloning.commit_of(url, "refs/tags/both") == tagged
    assert await cloning.commit_of(url, "refs/heads/both") == branch
    assert await cloning.commit_of(url, branch="both") == branch


async def test_the_branch_that_is_followed_is_no_tag(git: GitServer, cloning: Cloning) -> None:
    git.tag("shop", "v1", git.push("shop", {"file": "1"}))

    with pytest.raises(StepFailed, match="has no branch 'v1'; push it, or change `branch`"):
        await cloning.commit_of(git.url("shop"), branch="v1")


async def test_what_is_not_there_is_said(git: GitServer, cloning: Cloning) -> None:
    commit = git.push("shop", {"file": "1"})

    for wrong in ("v2", commit[:12]):
        with pytest.raises(StepFailed, match=f"no tag or branch '{wrong}'.*whole id") as failure:
            await cloning.commit_of(git.url("shop"), wrong)

        assert failure.value.reason is Reason.COMMIT_NOT_FOUND


async def test_a_tag_of_something_else_than_a_commit_is_said(
    git: GitServer, cloning: Cloning
) -> None:
    git.push("shop", {"file": "1"})
    git.tag("shop", "blob", git.blob("shop", "no commit"))

    blob = await cloning.commit_of(git.url("shop"), "blob")
    with pytest.raises(StepFailed) as failure:
        await cloning.have(git.url("shop"), blob)

    assert failure.value.reason is Reason.COMMIT_NOT_FOUND
