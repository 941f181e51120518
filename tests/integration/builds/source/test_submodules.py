"""Submodules, from real servers: fetched like repositories of their own, and nothing believed."""

from pathlib import Path

import pytest

from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    StepError,
    StepFailed,
)
from tests.integration.builds.source.conftest import Cloning
from tests.support.git_server import GitServer

TOKEN = {"type": "token", "token": "correct-horse-battery"}
USERS = {"x-access-token": "correct-horse-battery"}


def gitmodules(**modules: str) -> dict[str, str]:
    return {
        ".gitmodules": "".join(
            f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n'
            for path, url in modules.items()
        )
    }


async def test_submodules_come_with_their_own_at_the_commit_that_is_named(
    git: GitServer, cloning: Cloning
) -> None:
    inner = git.push("acme/inner", {"file": "inner\n"})
    named = git.push("acme/lib", gitmodules(inner="../inner.git"), links={"inner": inner})
    git.push("acme/lib", {"newer": "than what is named"})
    commit = git.push(
        "acme/shop", {"own": "shop\n"} | gitmodules(lib="../lib.git"), links={"lib": named}
    )

    clone = await cloning.have(git.url("acme/shop"), commit, submodules=True)

    assert (cloning.text("own"), cloning.text("lib/inner/file")) == ("shop\n", "inner\n")
    assert not (clone / "lib" / "newer").exists()
    assert (clone / "lib" / ".git" / "shallow").exists()
    assert f"fetch {inner} of {git.url('acme/inner')} into inner" in cloning.lines
    assert cloning.left_beside == []


async def test_submodules_that_nobody_asked_for_stay_empty(
    git: GitServer, cloning: Cloning
) -> None:
    lib = git.push("lib", {"file": "x"})
    commit = git.push("shop", gitmodules(lib="../lib.git"), links={"lib": lib})

    clone = await cloning.have(git.url("shop"), commit)

    assert list((clone / "lib").iterdir()) == []


async def test_the_token_goes_to_repositories_of_the_same_owner_only(
    git: GitServer, other: GitServer, cloning: Cloning
) -> None:
    git.users = USERS
    own, foreign = git.push("acme/lib", {"a": "own"}), other.push("acme/lib", {"a": "foreign"})
    modules = gitmodules(own="../lib.git", foreign=other.url("acme/lib"))
    commit = git.push("acme/shop", modules, links={"own": own, "foreign": foreign})

    await cloning.have(git.url("acme/shop"), commit, submodules=True, credentials=TOKEN)

    assert (cloning.text("own/a"), cloning.text("foreign/a")) == ("own", "foreign")
    assert len(git.credentials_seen) == 1
    assert other.requests
    assert other.credentials_seen == set()


async def test_a_private_submodule_of_another_owner_says_whose_credentials_there_are(
    git: GitServer, cloning: Cloning
) -> None:
    git.users = USERS
    lib = git.push("other/lib", {"a": "x"})
    commit = git.push("acme/shop", gitmodules(lib="../../other/lib.git"), links={"lib": lib})

    with pytest.raises(StepFailed) as failure:
        await cloning.have(git.url("acme/shop"), commit, submodules=True, credentials=TOKEN)

    assert failure.value.reason is Reason.SUBMODULE_FAILED
    said = failure.value.message
    whose = (
        f"The submodule 'lib': {git.url('other/lib')}: authentication required; set `credentials`"
    )
    assert said.startswith(whose)
    assert said.endswith(f"The credentials are for {git.url('acme/x').removesuffix('x.git')} only.")


async def test_a_commit_that_a_submodule_does_not_have_is_said(
    git: GitServer, cloning: Cloning
) -> None:
    git.push("lib", {"a": "x"})
    commit = git.push("shop", gitmodules(lib="../lib.git"), links={"lib": "1" * 40})

    with pytest.raises(StepFailed, match=r"'lib': .*does not contain this commit") as failure:
        await cloning.have(git.url("shop"), commit, submodules=True)

    assert failure.value.reason is Reason.SUBMODULE_FAILED


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.2:{port}/lib.git", "in a private network"),
        ("http://169.254.169.254/latest", "not an https:// or ssh:// address"),
        ("file://{root}/lib.git", "not an https:// or ssh:// address"),
        ("{root}/lib.git", "not an https:// or ssh:// address"),
        ("ext::sh -c touch% {root}/owned", "not an https:// or ssh:// address"),
        ("--upload-pack=touch {root}/owned", "not an https:// or ssh:// address"),
        ("-u./payload", "not an https:// or ssh:// address"),
        ("ssh://-oProxyCommand=touch%20{root}/owned/x", "not the address of a repository"),
        ("ssh://git@127.0.0.1:{port}/-oProxyCommand=x", "has no valid repository path"),
        ("../../../../etc", "leads out of the repository's host"),
        ("https://user:secret@127.0.0.1/lib", "contains credentials"),
    ],
)  # fmt: skip
async def test_an_address_that_leads_elsewhere_is_not_followed(
    git: GitServer, cloning: Cloning, url: str, words: str
) -> None:
    lib = git.push("lib", {"a": "x"})
    modules = gitmodules(lib=url.format(port=git.port, root=git.root))
    commit = git.push("shop", modules, links={"lib": lib})
    git.requests.clear()

    with pytest.raises(StepError, match="The submodule 'lib'") as failure:
        await cloning.have(git.url("shop"), commit, submodules=True)

    assert failure.value.reason is Reason.SUBMODULE_FAILED
    assert words in failure.value.message
    assert not any("/lib" in path for path, _ in git.requests)
    assert not (git.root / "owned").exists()


@pytest.mark.parametrize(
    "settings",
    [
        '[submodule "lib"]\n path = lib\n url = ../lib.git\n update = !touch {root}/owned\n',
        '[submodule "../../hooks"]\n path = lib\n url = ../lib.git\n',
        '[include]\n path = {root}/config\n[submodule "lib"]\n path = lib\n url = ../lib.git\n',
    ],
)
async def test_what_else_a_repository_sets_has_no_effect(
    git: GitServer, cloning: Cloning, settings: str
) -> None:
    hook = f"#!/bin/sh\ntouch {git.root}/owned\n"
    lib = git.push("lib", {"post-checkout": hook, "hooks/post-checkout": hook})
    (git.root / "config").write_text(f"[core]\n hooksPath = {git.tree('lib')}\n")
    commit = git.push("shop", {".gitmodules": settings.format(root=git.root)}, links={"lib": lib})

    clone = await cloning.have(git.url("shop"), commit, submodules=True)

    assert (clone / "lib" / "post-checkout").exists()
    assert not (git.root / "owned").exists()


@pytest.mark.parametrize("name", [".git", ".GIT", ".."])
async def test_a_path_where_git_keeps_its_own_or_outside_is_not_written(
    git: GitServer, cloning: Cloning, name: str
) -> None:
    lib = git.push("lib", {"a": "x"})
    settings = git.blob("shop", f'[submodule "x"]\n path = {name}\n url = ../lib.git\n')
    commit = git.commit(
        "shop", f"100644 blob {settings}\t.gitmodules", f"160000 commit {lib}\t{name}"
    )

    with pytest.raises(StepFailed):
        await cloning.have(git.url("shop"), commit, submodules=True)

    assert sorted(one.name for one in cloning.place.iterdir()) == ["source"]
    assert not (cloning.place / "a").exists()


async def test_a_submodule_without_an_address_is_named(git: GitServer, cloning: Cloning) -> None:
    lib = git.push("lib", {"a": "x"})
    commit = git.push("shop", {"a": "x"}, links={"vendor/lib": lib})

    with pytest.raises(StepFailed, match=r"'vendor/lib' has no address in \.gitmodules"):
        await cloning.have(git.url("shop"), commit, submodules=True)


async def test_a_gitmodules_that_is_a_link_is_not_followed(
    git: GitServer, cloning: Cloning, tmp_path: Path
) -> None:
    lib = git.push("lib", {"a": "x"})
    outside = tmp_path / "outside"
    outside.write_text('[submodule "lib"]\n path = lib\n url = ../lib.git\n')
    link = git.blob("shop", str(outside))
    commit = git.commit("shop", f"120000 blob {link}\t.gitmodules", f"160000 commit {lib}\tlib")

    with pytest.raises(StepFailed, match=r"invalid path '\.gitmodules'"):
        await cloning.have(git.url("shop"), commit, submodules=True)
