"""Which commit a tag, a branch or a commit stands for, on a real server."""

import os
from pathlib import Path
from typing import Any

import pytest

from aweigh.builds.source.history import History
from aweigh.deployments.deployment import Reason
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import StepFailed
from tests.integration.builds.source.conftest import Cloning
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


@pytest.mark.parametrize("name", ["#123-fix", "日本語/é", "a]b(c){d}&e;`f`'g\"$h|<i>%20", "+x"])
async def test_a_branch_may_be_called_what_git_allows(
    git: GitServer, cloning: Cloning, history: History, name: str
) -> None:
    before = git.push("shop", {"file": "1"}, name)
    commit = git.push("shop", {"file": "2"}, name)
    source = GitSource(repository=git.url("shop"), branch=name)
    git.tag("shop", f"tag-{name}", before)

    assert await cloning.commit_of(git.url("shop"), branch=name) == commit
    assert await cloning.commit_of(git.url("shop"), name) == commit
    assert await cloning.commit_of(git.url("shop"), f"tag-{name}") == before
    assert await history.head_of(source) == commit
    git.git("-C", str(git.bare("shop")), "tag", "--delete", f"tag-{name}")
    await history.ensure_reachable(source, before)


async def test_a_repository_by_sha256_is_read_like_any_other(
    git: GitServer, cloning: Cloning, history: History
) -> None:
    git.object_format = "sha256"
    library = git.push("library", {"library": "1"})
    modules = f'[submodule "x"]\npath = x\nurl = {git.url("library")}\n'
    before = git.push("shop", {"file": "1", ".gitmodules": modules}, links={"x": library})
    commit = git.push("shop", {"file": "2"}, links={"x": library})
    source = GitSource(repository=git.url("shop"), paths=("file",))

    found = await cloning.commit_of(git.url("shop"))
    await cloning.have(git.url("shop"), found, submodules=True)
    await history.ensure_reachable(source, before)
    change = await history.change(source, before, commit)

    assert (len(found), found) == (64, commit)
    assert (cloning.text("file"), cloning.text("x/library")) == ("2", "1")
    assert change.paths == ("file",)


async def test_a_commit_of_another_kind_than_the_repositorys_is_said(
    git: GitServer, cloning: Cloning
) -> None:
    git.push("shop", {"file": "1"})

    with pytest.raises(StepFailed, match="wrong length") as failure:
        await cloning.have(git.url("shop"), "1" * 64)

    assert failure.value.reason is Reason.COMMIT_NOT_FOUND


@pytest.mark.parametrize("old", ["/shop", "/before/shop.git"])
async def test_a_redirect_on_the_same_server_is_followed_with_the_credentials(
    git: GitServer, cloning: Cloning, history: History, old: str
) -> None:
    """Of an address without `.git`, or of a repository that was renamed."""
    commit = git.push("shop", {"file": "1"})
    git.users["ci"] = "geheim"
    git.moved[old] = "/shop.git"
    token: dict[str, Any] = {"credentials": {"type": "token", "username": "ci", "token": "geheim"}}
    url = f"http://127.0.0.1:{git.port}{old}"

    found = await cloning.commit_of(url, **token)
    await cloning.have(url, found, **token)
    head = await history.head_of(GitSource.model_validate({"repository": url, **token}))

    assert found == head == commit
    assert cloning.text("file") == "1"
    assert f"{url} redirects to {git.url('shop')}" in cloning.lines
    assert "geheim" not in "".join(cloning.lines)


async def test_a_redirect_to_another_server_is_named_and_not_followed(
    git: GitServer, other: GitServer, cloning: Cloning
) -> None:
    other.push("shop", {"file": "1"})
    git.moved["/shop.git"] = other.url("shop")
    token: dict[str, Any] = {"credentials": {"type": "token", "username": "ci", "token": "geheim"}}

    with pytest.raises(StepFailed, match="not followed; set `source") as failure:
        await cloning.commit_of(git.url("shop"), **token)

    assert f"redirects to {other.url('shop')}." in str(failure.value)
    assert failure.value.reason is Reason.REPOSITORY_NOT_FOUND
    assert other.requests == []


async def test_a_path_that_is_relative_to_the_users_home_stays_so(
    git: GitServer, cloning: Cloning, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another `ssh`, which runs the command here as a server does: in the user's home."""
    commit = git.push("shop", {"file": "1"})
    program = tmp_path / "programs" / "ssh"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nfor last; do :; done\necho "$last" >> {tmp_path}/asked\n'
        f'cd {git.root} && exec sh -c "$last"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    assert await cloning.commit_of("me@localhost:shop.git") == commit
    assert await cloning.commit_of(f"me@localhost:{git.bare('shop')}") == commit
    await cloning.have("me@localhost:shop.git", commit)

    asked = (tmp_path / "asked").read_text().splitlines()
    absolute = f"git-upload-pack '{git.bare('shop')}'"
    assert asked == ["git-upload-pack 'shop.git'", absolute, "git-upload-pack 'shop.git'"]
    assert cloning.text("file") == "1"


async def test_the_branch_that_is_followed_is_no_tag(git: GitServer, cloning: Cloning) -> None:
    git.tag("shop", "v1", git.push("shop", {"file": "1"}))

    with pytest.raises(StepFailed, match="has no branch 'v1'; push it, or change `branch`"):
        await cloning.commit_of(git.url("shop"), branch="v1")


async def test_what_is_not_there_is_said(git: GitServer, cloning: Cloning) -> None:
    commit = git.push("shop", {"file": "1"})

    for wrong in ("v2", commit[:12]):
        with pytest.raises(StepFailed, match=f"no tag or branch '{wrong}'.*full id") as failure:
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
