"""Images that run as another user than root write into their volumes."""

import io
import tarfile
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from examples.demo.context import build_image
from examples.demo.image import PYTHON, make_image
from tests.support.images import temporary_repository
from tests.support.stack import Stack

pytestmark = pytest.mark.docker

PASSWD = b"root:x:0:0::/:\napp:x:1234:5678::/:\n"
#: Writes into the volume at each start, before it serves.
WRITES = (
    "open('/data/new/written', 'a').close(); import sys; sys.path.insert(0, '/app'); "
    "exec(open('/app/application.py').read())"
)
#: A release command, which is given the volume first.
MIGRATES = ["-c", "open('/data/new/migrated', 'a')"]


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    """Images of the sample application with other users, and no shell; `USER` is each one's tag."""
    with temporary_repository(engine) as name:
        make_image(engine, repository=name, tag="base", environment={"NAME": "volumes"})
        for tag, lines in {
            "number": "USER 1000",
            "name": "COPY passwd /etc/passwd\nUSER app",
            "roots-directory": "USER 0\nWORKDIR /data/new\nWORKDIR /app\nUSER 1000:1001",
            "root": "USER 0",
        }.items():
            files = {"Dockerfile": f"FROM {name}:base\n{lines}\n".encode(), "passwd": PASSWD}
            build_image(engine, f"{name}:{tag}", files)
        yield name


async def created(stack: Stack, repository: str, name: str, tag: str, **more: Any) -> Any:
    return await stack.create(
        name, {"type": "image", "image": repository, "tag": tag},
        domains=[{"host": f"{name}.localhost", "tls": False}],
        volumes=[{"source": "data", "target": "/data/new"}],
        entrypoint=[PYTHON], command=["-c", WRITES], **more,
    )  # fmt: skip


def owner_in(engine: docker.DockerClient, stack: Stack, slug: str) -> tuple[int, int]:
    """Whose the volume is, as a container of the application has it."""
    found = engine.containers.list(filters={"name": f"^/{stack.prefix}-{slug}-"})
    chunks, _ = found[0].get_archive("/data/new")
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        root = tar.next()
    assert root is not None
    return root.uid, root.gid


@pytest.mark.parametrize(
    ("tag", "owner", "command"),
    [
        ("number", (1000, 0), None),
        ("name", (1234, 5678), MIGRATES),
        ("roots-directory", (1000, 1001), None),
    ],
)
async def test_a_fresh_volume_belongs_to_the_images_user(
    engine: docker.DockerClient,
    stack: Stack,
    repository: str,
    tag: str,
    owner: tuple[int, int],
    command: list[str] | None,
) -> None:
    name = f"volume-{tag}"
    app = await created(stack, repository, name, tag, release_command=command)

    deployed = await stack.deploy(app)

    assert deployed.status_code == 200, deployed.text
    assert owner_in(engine, stack, name) == owner


async def test_one_that_stayed_empty_is_still_the_users_at_the_next_deployment(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    """The engine makes an empty volume the image's again for each container, which is root's."""
    app = await created(stack, repository, "volume-empty", "roots-directory")
    change = {"command": ["/app/application.py"]}
    await stack.call("PATCH", f"/v1/applications/{app['id']}", json=change)
    assert (await stack.deploy(app)).status_code == 200
    change = {"command": ["-c", WRITES]}
    await stack.call("PATCH", f"/v1/applications/{app['id']}", json=change)

    deployed = await stack.deploy(app)

    assert deployed.status_code == 200, deployed.text
    assert owner_in(engine, stack, "volume-empty") == (1000, 1001)


async def test_one_that_was_used_before_keeps_its_owner(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    app = await created(stack, repository, "volume-used", "root")
    assert (await stack.deploy(app)).status_code == 200
    change = {"command": ["/app/application.py"]}
    await stack.call("PATCH", f"/v1/applications/{app['id']}", json=change)

    deployed = await stack.deploy(app, "number")

    assert deployed.status_code == 200, deployed.text
    assert owner_in(engine, stack, "volume-used") == (0, 0)
