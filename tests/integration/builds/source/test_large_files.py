"""Git LFS: real bytes, from the repository's own server and where that says they are."""

import hashlib

import pytest

from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    StepError,
    StepFailed,
    StepUnavailable,
)
from tests.integration.builds.source.conftest import Cloning
from tests.support.git_server import GitServer

ATTRIBUTES = {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"}
TOKEN = {"type": "token", "token": "correct-horse-battery"}
USERS = {"x-access-token": "correct-horse-battery"}


async def test_large_files_are_their_bytes_and_keep_their_mode(
    git: GitServer, cloning: Cloning
) -> None:
    run = b"#!/bin/sh\necho ran\n"
    files = {f"data/{number}.bin": git.lfs.add(str(number).encode()) for number in range(101)}
    git.push("shop", ATTRIBUTES | files | {"run.bin": git.lfs.add(run), "small.bin": "not LFS"})
    (git.tree("shop") / "run.bin").chmod(0o755)
    commit = git.push("shop", {})

    clone = await cloning.have(git.url("shop"), commit, lfs=True)

    assert [cloning.text(f"data/{number}.bin") for number in range(101)] == [
        str(number) for number in range(101)
    ]
    assert (clone / "run.bin").read_bytes() == run
    assert (clone / "run.bin").stat().st_mode & 0o111
    assert cloning.text("small.bin") == "not LFS"
    assert "fetch 102 files of Git LFS, 0.0 MB" in cloning.lines


async def test_files_whose_attributes_name_no_filter_stay_what_they_are(
    git: GitServer, cloning: Cloning
) -> None:
    pointer = git.lfs.add(b"bytes")
    commit = git.push("shop", {"example.txt": pointer})

    await cloning.have(git.url("shop"), commit, lfs=True)

    assert cloning.text("example.txt") == pointer


async def test_without_lfs_the_log_warns_of_pointers(git: GitServer, cloning: Cloning) -> None:
    commit = git.push("shop", ATTRIBUTES | {"a.bin": git.lfs.add(b"bytes")})

    await cloning.have(git.url("shop"), commit)

    assert (
        "warning: 1 Git LFS files are left as pointers (for example a.bin), because `lfs` is off"
        in cloning.lines
    )


async def test_of_very_many_files_none_is_missed(git: GitServer, cloning: Cloning) -> None:
    """Their paths are more than any pipe holds at once; a name may hold what ends a line."""
    long = "a" * 150
    files = {f"{long}/{long}-{number}.bin": git.lfs.add(b"bytes") for number in range(500)}
    commit = git.push("shop", ATTRIBUTES | files | {"two\nlines\r.bin": git.lfs.add(b"others")})

    await cloning.have(git.url("shop"), commit, lfs=True)

    assert {cloning.text(path) for path in files} == {"bytes"}
    assert cloning.text("two\nlines\r.bin") == "others"


async def test_an_lfsconfig_that_names_another_server_has_no_effect(
    git: GitServer, other: GitServer, cloning: Cloning
) -> None:
    config = f"[lfs]\n url = {other.url('evil')}/info/lfs\n"
    commit = git.push("shop", ATTRIBUTES | {".lfsconfig": config, "a.bin": git.lfs.add(b"bytes")})

    await cloning.have(git.url("shop"), commit, lfs=True)

    assert cloning.text("a.bin") == "bytes"
    assert other.requests == []


async def test_an_object_that_was_never_pushed_is_named(git: GitServer, cloning: Cloning) -> None:
    pointer = git.lfs.add(b"bytes")
    git.lfs.objects.clear()
    commit = git.push("shop", ATTRIBUTES | {"model/a.bin": pointer})

    with pytest.raises(
        StepFailed, match=r"model/a\.bin .* does not exist on the LFS server"
    ) as failure:
        await cloning.have(git.url("shop"), commit, lfs=True)

    assert failure.value.reason is Reason.LFS_FAILED
    assert "git lfs push --all" in failure.value.message


@pytest.mark.parametrize("served", [b"other", b"more bytes than were announced", b""])
async def test_bytes_that_are_not_those_that_were_pushed_are_not_taken(
    git: GitServer, cloning: Cloning, served: bytes
) -> None:
    pointer = git.lfs.add(b"bytes")
    git.lfs.objects[hashlib.sha256(b"bytes").hexdigest()] = served
    commit = git.push("shop", ATTRIBUTES | {"a.bin": pointer})

    with pytest.raises(StepUnavailable, match=r"the download of a\.bin does not match its pointer"):
        await cloning.have(git.url("shop"), commit, lfs=True)

    assert cloning.text("a.bin") == pointer


async def test_the_token_goes_to_the_own_server_and_not_where_the_bytes_are(
    git: GitServer, other: GitServer, cloning: Cloning
) -> None:
    git.users = USERS
    pointer = git.lfs.add(b"bytes")
    other.lfs.add(b"bytes")
    git.lfs.elsewhere = f"http://127.0.0.1:{other.port}"
    commit = git.push("shop", ATTRIBUTES | {"a.bin": pointer})

    await cloning.have(git.url("shop"), commit, lfs=True, credentials=TOKEN)

    assert cloning.text("a.bin") == "bytes"
    assert other.requests
    assert other.credentials_seen == set()


@pytest.mark.parametrize(
    ("elsewhere", "words"),
    [
        ("http://127.0.0.2:80", "in a private network"),
        ("https://127.0.0.2:80", "in a private network"),
        ("http://169.254.169.254", "an address with http:// is not followed"),
        ("https://169.254.169.254", "in a private network"),
        ("file:///etc", "an address with file:// is not followed"),
    ],
)
async def test_bytes_that_are_said_to_be_in_a_private_network_are_not_fetched(
    git: GitServer, cloning: Cloning, elsewhere: str, words: str
) -> None:
    pointer = git.lfs.add(b"bytes")
    git.lfs.elsewhere = elsewhere
    commit = git.push("shop", ATTRIBUTES | {"a.bin": pointer})

    with pytest.raises(StepError) as failure:
        await cloning.have(git.url("shop"), commit, lfs=True)

    assert failure.value.reason is Reason.LFS_FAILED
    assert words in failure.value.message


@pytest.mark.parametrize("header", [{"X-Expires": 60}, "text", [["A", "b"]]])
async def test_headers_that_are_none_are_said(
    git: GitServer, cloning: Cloning, header: object
) -> None:
    commit = git.push("shop", ATTRIBUTES | {"a.bin": git.lfs.add(b"bytes")})
    git.lfs.header = header

    with pytest.raises(StepUnavailable, match="the server's list of files cannot be read"):
        await cloning.have(git.url("shop"), commit, lfs=True)


async def test_submodules_bring_their_large_files(git: GitServer, cloning: Cloning) -> None:
    lib = git.push("lib", ATTRIBUTES | {"a.bin": git.lfs.add(b"of the submodule")})
    modules = '[submodule "lib"]\n path = lib\n url = ../lib.git\n'
    commit = git.push("shop", {".gitmodules": modules}, links={"lib": lib})

    await cloning.have(git.url("shop"), commit, submodules=True, lfs=True)

    assert cloning.text("lib/a.bin") == "of the submodule"
