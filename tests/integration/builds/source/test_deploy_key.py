"""Deploy keys, against a real ssh server."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from aweigh.deployments.deployment import Reason
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import StepFailed
from tests.integration.builds.source.conftest import Cloning
from tests.support.git_server import GitServer
from tests.support.ssh_server import SshServer, new_key, ssh_server


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("ssh")) as server:
        yield server


def credentials(ssh: SshServer, **other: str) -> dict[str, Any]:
    own = {"private_key": ssh.key, "known_hosts": ssh.known_hosts}
    return {"credentials": {"type": "deploy_key", **own, **other}}


async def test_a_repository_is_read_with_its_deploy_key(
    git: GitServer, ssh: SshServer, cloning: Cloning
) -> None:
    commit = git.push("shop", {"file": "over ssh\n"})
    url = ssh.url(git.bare("shop"))
    windows = credentials(ssh, private_key=ssh.key.replace("\n", "\r\n"))

    found = await cloning.commit_of(url, **credentials(ssh))
    await cloning.have(url, found, **windows)

    assert found == commit
    assert cloning.text("file") == "over ssh\n"
    assert cloning.left_beside == []


async def test_the_key_is_no_argument_and_in_a_file_that_nobody_else_reads(
    git: GitServer, ssh: SshServer, cloning: Cloning
) -> None:
    commit = git.push("shop", {"file": "x"})
    stop, seen = threading.Event(), Seen(ssh.key)
    watching = threading.Thread(target=seen.watch, args=(cloning.place, stop))
    watching.start()

    await cloning.have(ssh.url(git.bare("shop")), commit, **credentials(ssh))
    stop.set()
    watching.join()

    assert any("known_hosts" in words for words in seen.commands)
    assert not any(line in words for words in seen.commands for line in seen.key_lines)
    assert seen.modes == {0o600}
    assert not list(cloning.place.rglob("key"))


class Seen:
    """What other processes could see while a repository is read."""

    def __init__(self, key: str) -> None:
        self.key_lines = [line for line in key.splitlines() if "-" not in line]
        self.commands: set[str] = set()
        self.modes: set[int] = set()

    def watch(self, place: Path, stop: threading.Event) -> None:
        while not stop.is_set():
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.commands.add(entry.read_text())
                except (OSError, ValueError):
                    continue
            for file in place.glob("git-*/key"):
                try:
                    self.modes.add(file.stat().st_mode & 0o777)
                except OSError:
                    continue


async def test_another_key_is_refused(
    git: GitServer, ssh: SshServer, cloning: Cloning, tmp_path: Path
) -> None:
    git.push("shop", {"file": "x"})
    wrong = credentials(ssh, private_key=new_key(tmp_path / "other"))

    with pytest.raises(StepFailed, match="were rejected") as failure:
        await cloning.commit_of(ssh.url(git.bare("shop")), **wrong)

    assert failure.value.reason is Reason.REPOSITORY_AUTH
    assert not cloning.place.exists()


async def test_a_key_that_is_cut_off_gets_nowhere(ssh: SshServer) -> None:
    broken = credentials(ssh, private_key="\n".join(ssh.key.splitlines()[:3]))

    with pytest.raises(ValidationError, match="is not a whole private key"):
        GitSource(repository="ssh://git@127.0.0.1/shop", **broken)


async def test_a_key_on_one_line_opens(git: GitServer, ssh: SshServer, cloning: Cloning) -> None:
    commit = git.push("shop", {"file": "x"})
    pasted = credentials(ssh, private_key="    " + ssh.key.replace("\n", " "))

    assert await cloning.commit_of(ssh.url(git.bare("shop")), **pasted) == commit


@pytest.mark.parametrize("host", ["[127.0.0.1]:{port}", "github.com"])
async def test_a_host_with_another_key_than_the_pinned_one_gets_nothing(
    git: GitServer, ssh: SshServer, cloning: Cloning, tmp_path: Path, host: str
) -> None:
    git.push("shop", {"file": "x"})
    new_key(tmp_path / "imposter")
    other = (tmp_path / "imposter.pub").read_text()
    pinned = f"{host.format(port=ssh.port)} {other}"

    with pytest.raises(
        StepFailed, match="the host's key is not the one in `known_hosts`"
    ) as failure:
        await cloning.commit_of(ssh.url(git.bare("shop")), **credentials(ssh, known_hosts=pinned))

    assert failure.value.reason is Reason.REPOSITORY_AUTH


async def test_large_files_are_where_the_ssh_server_says(
    git: GitServer, ssh: SshServer, cloning: Cloning
) -> None:
    git.users = {"lfs": "correct-horse-battery"}
    header = {"Authorization": "Basic bGZzOmNvcnJlY3QtaG9yc2UtYmF0dGVyeQ=="}
    endpoint = {"href": f"{git.url('shop')}/info/lfs", "header": header}
    (ssh.root / "lfs.json").write_text(json.dumps(endpoint))
    attributes = {".gitattributes": "*.bin filter=lfs\n"}
    commit = git.push("shop", attributes | {"a.bin": git.lfs.add(b"over ssh")})

    await cloning.have(ssh.url(git.bare("shop")), commit, lfs=True, **credentials(ssh))

    assert cloning.text("a.bin") == "over ssh"
    assert not any("bGZz" in line for line in cloning.lines)


async def test_what_a_server_prints_is_never_a_commit(
    git: GitServer, ssh: SshServer, cloning: Cloning
) -> None:
    git.push("shop", {"file": "1"})
    url = ssh.url(git.bare("shop"))

    with ssh.saying("--upload-pack=false\trefs/heads/odd\n"), pytest.raises(StepFailed) as failure:
        await cloning.commit_of(url, branch="odd", **credentials(ssh))

    assert "has no branch 'odd'" in str(failure.value)
