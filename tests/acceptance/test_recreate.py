"""Where two releases at a time would be wrong: host ports and volumes."""

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from examples.demo.image import PYTHON, make_image
from tests.support.checkpoint import checkpoint
from tests.support.images import temporary_repository
from tests.support.outside import change, containers, failing, starts_and_ends, step, until
from tests.support.ports import free_ports
from tests.support.programs import begins_with, releases_with, runs
from tests.support.resetting import reset_to
from tests.support.stack import Stack
from tests.support.world import assert_says

pytestmark = pytest.mark.docker

#: Fails where another process has the volume, as a database would.
ALONE = """
import fcntl
lock = open("/data/lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
os.set_inheritable(lock.fileno(), True)
"""


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    root = ("USER 0",)  # new volumes belong to root
    volume = (*root, "VOLUME /data")
    with temporary_repository(engine) as name:
        make_image(engine, repository=name, tag="v1", environment={}, instructions=root)
        make_image(engine, repository=name, tag="volume", environment={}, instructions=volume)
        yield name


@pytest.fixture(scope="module")
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
async def published(stack: Stack, repository: str, port: int) -> dict[str, Any]:
    """An application that is live at a port of the server."""
    source = {"type": "image", "image": repository, "tag": "v1"}
    app = await stack.create("published", source, ports=[{"host": port, "container": 8000}])
    answer = await stack.deploy(app)
    assert answer.status_code == 200, answer.text
    return app


def at(port: int) -> dict[str, Any]:
    return {"ports": [{"host": port, "container": 8000}]}


def holding_a_port(port: int = 0) -> Any:
    return asyncio.start_server(lambda *_: None, "0.0.0.0", port)  # noqa: S104


async def test_a_host_port_that_a_process_holds_is_found_before_anything_is_stopped(
    engine: docker.DockerClient, stack: Stack, published: dict[str, Any], port: int
) -> None:
    async with await holding_a_port() as server:
        taken = server.sockets[0].getsockname()[1]
        failed = await failing(engine, stack, published, **at(taken))
        await change(stack, published, **at(port))

    assert_says(failed, "port_taken", f"Host port {taken}/tcp is taken by", f"(pid {os.getpid()})")
    assert await step(stack, failed["id"], "create") == {}


async def test_a_host_port_that_another_container_holds(
    engine: docker.DockerClient,
    stack: Stack,
    repository: str,
    published: dict[str, Any],
    port: int,
) -> None:
    [taken] = free_ports(1)
    other = engine.containers.run(
        f"{repository}:v1", name=f"{repository}-holder", detach=True, ports={"8000/tcp": taken}
    )
    try:
        failed = await failing(engine, stack, published, **at(taken))
        await change(stack, published, **at(port))
    finally:
        other.remove(force=True, v=True)

    assert_says(failed, "port_taken", f"Host port {taken}/tcp is taken by container {other.name}")


async def test_a_port_taken_at_the_last_moment_gives_the_old_containers_back(
    engine: docker.DockerClient, stack: Stack, published: dict[str, Any], port: int
) -> None:
    """The release command, between preflight and start, gives the time to take it."""
    [before] = containers(engine, stack.prefix, "published")
    [taken] = free_ports(1)
    async with checkpoint(engine, stack.prefix) as here:
        await change(stack, published, **at(taken), **releases_with(here.wait))
        deploying = asyncio.create_task(stack.deploy(published))
        await here.reached.wait()
        async with await holding_a_port(taken):
            here.released.set()
            failed = (await deploying).json()["deployment"]
    await change(stack, published, **at(port), **dict.fromkeys(releases_with("")))

    assert_says(failed, "port_taken", f"Host port {taken}/tcp is taken by", f"(pid {os.getpid()})")
    await assert_runs_as_before(engine, stack, before, port)


async def assert_runs_as_before(
    engine: docker.DockerClient, stack: Stack, before: Container, port: int
) -> None:
    [now] = containers(engine, stack.prefix, "published")
    assert (now.id, now.status) == (before.id, "running")
    assert now.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def test_the_old_containers_are_parked_and_brought_back(
    engine: docker.DockerClient, stack: Stack, published: dict[str, Any], port: int
) -> None:
    [before] = containers(engine, stack.prefix, "published")
    async with checkpoint(engine, stack.prefix) as here:
        await change(stack, published, **runs(f"{here.wait}; raise SystemExit(5)"))
        deploying = asyncio.create_task(stack.deploy(published))
        await here.reached.wait()
        before.reload()
        parked = before.status, before.attrs["HostConfig"]["RestartPolicy"]["Name"]
        here.released.set()
        failed = (await deploying).json()["deployment"]
    await change(stack, published, **dict.fromkeys(runs("")))

    assert parked == ("exited", "no")
    assert_says(failed, "start_failed", "code 5")
    await assert_runs_as_before(engine, stack, before, port)


async def test_two_releases_never_have_such_a_volume_at_a_time(
    stack: Stack, repository: str
) -> None:
    """One that is exclusive, one of a database, and one that the database's image declares."""
    exclusive = {
        "volumes": [{"source": "data", "target": "/data", "exclusive": True}],
        "domains": [{"host": "exclusive.localhost", "tls": False}],
    }

    async def deployed_twice(name: str, tag: str, **settings: Any) -> list[str | None]:
        source = {"type": "image", "image": repository, "tag": tag}
        app = await stack.create(name, source, **begins_with(ALONE), **settings)
        return [(await stack.deploy(app)).json().get("state") for _ in range(2)]

    states = await asyncio.gather(
        deployed_twice("exclusive", "v1", **exclusive),
        deployed_twice("database", "v1", volumes=[{"source": "data", "target": "/data"}]),
        deployed_twice("image-database", "volume"),
    )

    assert list(states) == [["succeeded", "succeeded"]] * 3


def most_at_once(engine: docker.DockerClient, application: dict[str, Any], since: float) -> int:
    """How many of its containers ever ran at a time, by the engine's own events."""
    running: set[str] = set()
    most = 0
    for event in starts_and_ends(engine, application, since):
        (running.add if event["Action"] == "start" else running.discard)(event["id"])
        most = max(most, len(running))
    return most


#: Goes on only once somebody has put a file into the volume.
ALLOWED = f"{ALONE}\nif not os.path.exists('/data/allowed'): raise SystemExit(5)"
EXCLUSIVE = [{"source": "data", "target": "/data", "exclusive": True}]


async def reset_until_live(stack: Stack, failed: dict[str, Any], step: str) -> None:
    await reset_to(stack, failed["id"], step)

    async def is_live() -> bool:
        return bool((await stack.deployment(failed["id"], wait=60))["state"] == "succeeded")

    await until(is_live)


async def test_a_reset_to_health_never_has_two_containers_on_an_exclusive_volume(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    began, source = time.time(), {"type": "image", "image": repository, "tag": "v1"}
    app = await stack.create("alone-health", source, volumes=EXCLUSIVE, **begins_with(ALONE))
    assert (await stack.deploy(app)).status_code == 200
    await change(stack, app, **begins_with(ALLOWED))
    failed = (await stack.deploy(app)).json()["deployment"]
    assert failed["reason"] == "start_failed"
    [live] = containers(engine, stack.prefix, "alone-health")
    assert live.exec_run([PYTHON, "-c", "open('/data/allowed', 'w')"]).exit_code == 0

    await reset_until_live(stack, failed, "health")

    assert most_at_once(engine, app, began) == 1


@pytest.mark.long
async def test_a_reset_to_the_switch_never_has_two_containers_on_an_exclusive_volume(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    began, source = time.time(), {"type": "image", "image": repository, "tag": "v1"}
    app = await stack.create(
        "alone-switch", source, volumes=EXCLUSIVE, **begins_with(ALONE),
        domains=[{"host": "alone-switch.localhost", "tls": False}],
    )  # fmt: skip
    assert (await stack.deploy(app)).status_code == 200
    stray = stack.data / "server" / "routes" / "routed" / "somebodys.yml"
    stray.write_text("http: [}")  # Traefik reloads nothing while it is there
    try:
        failed = (await stack.deploy(app)).json()["deployment"]
    finally:
        stray.unlink()
    assert failed["reason"] == "verify_failed"

    await reset_until_live(stack, failed, "switch")

    assert most_at_once(engine, app, began) == 1


@pytest.mark.parametrize(
    ("name", "tag", "settings"),
    [
        ("migrates-alone", "v1", {"volumes": EXCLUSIVE}),
        pytest.param(
            "migrates-data",
            "v1",
            {"volumes": [{"source": "data", "target": "/data"}]},
            marks=pytest.mark.long,
        ),
        pytest.param("migrates-image", "volume", {}, marks=pytest.mark.long),
    ],
)
async def test_a_release_command_has_the_volume_to_itself(
    engine: docker.DockerClient,
    stack: Stack,
    repository: str,
    name: str,
    tag: str,
    settings: dict[str, Any],
) -> None:
    began, source = time.time(), {"type": "image", "image": repository, "tag": tag}
    releases = {"release_command": [f"import os\n{ALONE}"]}
    app = await stack.create(name, source, **settings, **begins_with(ALONE), **releases)
    for _ in range(2):
        answer = await stack.deploy(app)
        assert answer.status_code == 200, answer.text
    [live] = containers(engine, stack.prefix, name)
    await change(stack, app, release_command=["raise SystemExit(1)"])
    failed = (await stack.deploy(app)).json()["deployment"]

    [now] = containers(engine, stack.prefix, name)
    assert failed["reason"] == "release_command_failed"
    assert (now.id, now.status) == (live.id, "running")
    assert most_at_once(engine, app, began) == 1


async def test_a_release_command_without_a_volume_stops_nothing(
    engine: docker.DockerClient, stack: Stack, published: dict[str, Any], port: int
) -> None:
    """Though the strategy is `recreate`, for the port: it has none."""
    [before] = containers(engine, stack.prefix, "published")
    await change(stack, published, **releases_with("raise SystemExit(1)"))
    failed = (await stack.deploy(published)).json()["deployment"]
    await change(stack, published, **dict.fromkeys(releases_with("")))

    [now] = containers(engine, stack.prefix, "published")
    assert failed["reason"] == "release_command_failed"
    assert now.attrs["State"]["StartedAt"] == before.attrs["State"]["StartedAt"]


async def test_a_shared_volume_of_a_routed_application_is_there_for_both(
    stack: Stack, repository: str
) -> None:
    """What proves the test above: here the second release does meet the first."""
    source = {"type": "image", "image": repository, "tag": "volume"}
    domains = [{"host": "shared.localhost", "tls": False}]
    app = await stack.create("shared", source, domains=domains, **begins_with(ALONE))

    first, second = [await stack.deploy(app) for _ in range(2)]

    assert first.json()["state"] == "succeeded"
    assert second.json()["deployment"]["reason"] == "start_failed"
    assert "BlockingIOError" in await stack.log(second.json()["deployment"]["id"])
