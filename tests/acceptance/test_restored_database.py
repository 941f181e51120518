"""A database restored from a backup: what it has forgotten is not believed, nor in the way."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import pytest

from examples.demo.image import make_image
from tests.support.images import temporary_repository
from tests.support.outside import ask, containers, step, until
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        for version in ("v1", "v2", "v3"):
            make_image(engine, repository=name, tag=version, environment={"VERSION": version})
        slow = {"VERSION": "slow", "BOOT_SECONDS": "60"}
        make_image(engine, repository=name, tag="slow", environment=slow)
        yield name


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack of its own: it is stopped, and its database replaced."""
    async with running_stack(tmp_path_factory.mktemp("restored")) as running:
        yield running


async def shop(stack: Stack, name: str, repository: str) -> dict[str, Any]:
    """An application that is live as v1."""
    source = {"type": "image", "image": repository, "tag": "v1"}
    made = await stack.create(name, source, domains=[{"host": f"{name}.localhost", "tls": False}])
    assert (await stack.deploy(made, "v1")).status_code == 200
    return made


def back_up(stack: Stack) -> Path:
    backup = stack.data / "backup.db"
    backup.unlink(missing_ok=True)
    with closing(sqlite3.connect(stack.data / "aweigh.db")) as database:
        database.execute("VACUUM INTO ?", (str(backup),))
    return backup


async def restore(stack: Stack, backup: Path) -> None:
    """As docs/production.md says: stopped, replaced, started."""
    await stack.stop()
    for ending in ("", "-wal", "-shm"):
        (stack.data / f"aweigh.db{ending}").unlink(missing_ok=True)
    backup.replace(stack.data / "aweigh.db")
    await stack.start()


async def newest(stack: Stack, application: dict[str, Any]) -> dict[str, Any]:
    query = {"application": application["id"], "limit": 1}
    found = (await stack.call("GET", "/v1/deployments", params=query)).json()["items"][0]
    return await stack.deployment(found["id"], wait=600)


async def test_a_sequence_that_was_given_before_is_not_taken_for_the_earlier_one(
    stack: Stack, repository: str
) -> None:
    app = await shop(stack, "given-twice", repository)
    backup = back_up(stack)
    forgotten = (await stack.deploy(app, "v2")).json()
    await restore(stack, backup)

    refused = (await stack.deploy(app, "v3")).json()["deployment"]

    assert (refused["sequence"], refused["reason"]) == (forgotten["sequence"], "superseded")
    again = await newest(stack, app)
    assert (again["state"], again["sequence"]) == ("succeeded", forgotten["sequence"] + 1)
    assert again["retry_of"] == refused["id"]
    assert "v3" in (await ask(stack, "given-twice.localhost")).text


async def test_a_deployment_that_nobody_knows_any_more_ends_and_makes_way(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    app = await shop(stack, "unknown", repository)
    backup = back_up(stack)
    forgotten = (await stack.deploy(app, "slow", wait=0)).json()["id"]

    async def waits_at_its_gate() -> bool:
        return (await step(stack, forgotten, "health")).get("state") == "running"

    await until(waits_at_its_gate)
    await restore(stack, backup)

    await stack.deploy(app, "v2")

    assert (await newest(stack, app))["state"] == "succeeded"
    assert "v2" in (await ask(stack, "unknown.localhost")).text

    async def is_alone() -> bool:
        return len(containers(engine, stack.prefix, "unknown")) == 1

    await until(is_alone)
