"""Bind mounts: only below the roots that the server's own settings allow, links followed."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from examples.demo.image import PYTHON, make_image
from tests.support.checkpoint import checkpoint
from tests.support.images import temporary_repository
from tests.support.outside import containers
from tests.support.programs import releases_with
from tests.support.second_server import second_server
from tests.support.stack import Stack
from tests.support.world import assert_says

pytestmark = pytest.mark.docker


@dataclass
class Allowing:
    """A server that allows bind mounts from a directory, and carelessly from two more."""

    stack: Stack
    prefix: str
    root: Path
    data: Path
    repository: str

    async def deploy(self, name: str, path: str, **settings: Any) -> dict[str, Any]:
        """The first deployment of an application that mounts this path."""
        app = await self.stack.create(
            name, {"type": "image", "image": self.repository, "tag": "v1"}, server="allowing",
            volumes=[{"source": path, "target": "/host"}], **settings,
        )  # fmt: skip
        answer = (await self.stack.deploy(app)).json()
        return dict(answer.get("deployment", answer))


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        make_image(engine, repository=name, tag="v1", environment={"NAME": "mounts"})
        yield name


@pytest.fixture(scope="module")
async def allowing(
    stack: Stack, repository: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Allowing]:
    root = tmp_path_factory.mktemp("roots") / "allowed"
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "note").write_text("from the server")
    for link, target in {
        "inside": root / "shop",
        "everything": Path("/"),
        "socket": Path("/var/run/docker.sock"),
        "etc": Path("/etc"),
    }.items():
        (root / link).symlink_to(target)
    data = tmp_path_factory.mktemp("data")
    roots = json.dumps([str(root), "/run", str(data)])
    async with second_server(stack, data, "allowing", AWEIGH_BIND_ROOTS=roots) as prefix:
        yield Allowing(stack, prefix, root, data, repository)


async def test_nothing_of_the_server_is_mounted_unless_it_says_so(
    stack: Stack, repository: str
) -> None:
    app = await stack.create(
        "bold", {"type": "image", "image": repository, "tag": "v1"},
        volumes=[{"source": "/srv", "target": "/host"}],
    )  # fmt: skip

    failed = (await stack.deploy(app)).json()["deployment"]

    assert_says(failed, "start_failed", "/srv are not allowed", "AWEIGH_BIND_ROOTS allows: none")


@pytest.mark.parametrize("path", ["shop", "inside"])
async def test_a_directory_below_an_allowed_root_is_mounted(
    engine: docker.DockerClient, allowing: Allowing, path: str
) -> None:
    deployed = await allowing.deploy(f"good-{path}", f"{allowing.root}/{path}")

    assert deployed["state"] == "succeeded", deployed["message"]
    [container] = containers(engine, allowing.prefix, f"good-{path}")
    [mount] = container.attrs["Mounts"]
    assert (mount["Type"], mount["Source"]) == ("bind", f"{allowing.root}/shop")
    read = container.exec_run([PYTHON, "-c", "print(open('/host/note').read())"])
    assert read.output == b"from the server\n"


@pytest.mark.parametrize(
    ("name", "path", "words"),
    [
        ("root", "/", "are not allowed"),
        ("etc", "/etc", "are not allowed"),
        ("beside", "{root}-beside", "are not allowed"),
        ("link-root", "{root}/everything", "everything (which leads to /) are not allowed"),
        ("link-etc", "{root}/etc", "etc (which leads to /etc) are not allowed"),
        ("link-below", "{root}/everything/etc", "(which leads to /etc) are not allowed"),
        ("socket", "/var/run/docker.sock", "are never allowed: /var/run/docker.sock"),
        ("above-socket", "/run", "are never allowed: /var/run/docker.sock"),
        ("link-socket", "{root}/socket", "are never allowed: /var/run/docker.sock"),
        ("missing", "{root}/nothing/here", "does not exist on the server; make it first"),
    ],
)
async def test_what_would_give_the_server_away_is_refused(
    engine: docker.DockerClient, allowing: Allowing, name: str, path: str, words: str
) -> None:
    source = path.format(root=allowing.root)

    failed = await allowing.deploy(f"bad-{name}", source)

    assert_says(
        failed, "start_failed", f"Bind mounts of {source}" if "make" not in words else words
    )
    assert words in failed["message"]
    assert [step["name"] for step in failed["steps"]] == ["preflight"]
    assert containers(engine, allowing.prefix, f"bad-{name}") == []


async def test_the_server_workers_own_data_is_refused_below_an_allowed_root(
    allowing: Allowing,
) -> None:
    """Whoever writes the routes there has everybody's traffic."""
    routes = allowing.data / allowing.prefix / "server" / "routes"
    assert routes.is_dir()

    failed = await allowing.deploy("own-data", str(routes))

    assert_says(failed, "start_failed", f"Bind mounts of {routes} are never allowed")


async def test_a_directory_that_becomes_a_link_after_the_check_is_checked_again(
    engine: docker.DockerClient, allowing: Allowing
) -> None:
    """The release command runs between preflight and the container: time enough to swap it."""
    path = allowing.root / "swapped"
    path.mkdir()
    async with checkpoint(engine, allowing.prefix) as here:
        deploying = asyncio.create_task(
            allowing.deploy("swapping", str(path), **releases_with(here.wait))
        )
        await here.reached.wait()
        path.rmdir()
        path.symlink_to("/")
        here.released.set()
        failed = await deploying

    assert_says(failed, "start_failed", f"{path} (which leads to /) are not allowed")
    assert failed["steps"][2]["detail"] == "exit code 0"
