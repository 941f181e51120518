"""What an application asks for is really set on its containers, and what runs beside them."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from examples.demo.image import PYTHON, make_image
from tests.support.images import temporary_repository
from tests.support.outside import containers, failing, step
from tests.support.programs import begins_with, releases_with
from tests.support.stack import Stack
from tests.support.world import assert_says

pytestmark = pytest.mark.docker

REACH = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 8000), 2)
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""
MIGRATE = 'open("/data/runs", "a").write("ran\\n"); print("migrated the tables")'


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        make_image(
            engine, repository=name, tag="v1", environment={"NAME": "set"}, instructions=("USER 0",)
        )
        yield name


async def live(
    engine: docker.DockerClient, stack: Stack, repository: str, name: str, **settings: Any
) -> Container:
    """The container of a new application with these settings."""
    source = {"type": "image", "image": repository, "tag": "v1"}
    app = await stack.create(name, source, **settings)
    answer = await stack.deploy(app)
    assert answer.status_code == 200, answer.text
    [container] = containers(engine, stack.prefix, name)
    return container


async def test_limits_logs_labels_and_restart_policy(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    container = await live(
        engine, stack, repository, "settled",
        resources={"cpus": 0.5, "memory": "64m"}, labels={"team": "a", "com.example/x": "y z"},
        restart="on-failure", stop_grace=7, env={"GREETING": "hello $HOME `x`"},
    )  # fmt: skip

    host, config = container.attrs["HostConfig"], container.attrs["Config"]
    assert host["NanoCpus"] == 500_000_000
    assert host["Memory"] == host["MemorySwap"] == 64 * 1024**2
    assert host["RestartPolicy"]["Name"] == "on-failure"
    rotation = {"max-size": "10m", "max-file": "3"}
    assert host["LogConfig"] == {"Type": "json-file", "Config": rotation}
    assert config["StopTimeout"] == 7
    assert {"GREETING=hello $HOME `x`", "PORT=8000"} <= set(config["Env"])
    labels = config["Labels"]
    assert (labels["team"], labels["com.example/x"]) == ("a", "y z")
    assert labels["aweigh.application"].startswith("app_")
    assert (labels["aweigh.sequence"], labels["aweigh.replica"]) == ("1", "0")
    assert labels["traefik.enable"] == "false"


async def test_labels_of_a_routed_application_tell_its_route(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    domains = [{"host": "labelled.localhost", "path": "/shop"}]
    container = await live(engine, stack, repository, "labelled", domains=domains)

    router = "traefik.http.routers.labelled-0"
    labels = container.labels
    assert labels["traefik.enable"] == "true"
    assert (
        labels[f"{router}.rule"]
        == "Host(`labelled.localhost`) && (Path(`/shop`) || PathPrefix(`/shop/`))"
    )
    assert labels[f"{router}.tls"] == "true"
    assert labels["traefik.http.services.labelled.loadbalancer.server.port"] == "8000"


async def test_command_and_entrypoint_replace_those_of_the_image(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    settings = begins_with("print('an entrypoint of its own', sys.argv[1:])")
    settings["command"] += ["two words"]

    container = await live(engine, stack, repository, "overridden", **settings)

    assert container.attrs["Config"]["Entrypoint"] == settings["entrypoint"]
    assert container.attrs["Config"]["Cmd"] == settings["command"]
    assert "an entrypoint of its own ['two words']" in container.logs().decode()


async def reach(container: Container, host: str) -> str:
    """What a container gets when it calls another one."""
    command = [PYTHON, "-c", REACH, host]
    ended = await asyncio.to_thread(container.exec_run, command)
    assert isinstance(ended.output, bytes)
    return ended.output.decode().strip()


async def test_applications_reach_each_other_on_a_common_network_and_nowhere_else(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    front, store, loner = await asyncio.gather(
        live(engine, stack, repository, "front", networks=["back"]),
        live(engine, stack, repository, "store", networks=["back"]),
        live(engine, stack, repository, "loner"),
    )
    own = f"{stack.prefix}.application-store"
    bridge = store.attrs["NetworkSettings"]["Networks"][own]["IPAddress"]

    got = await asyncio.gather(
        reach(front, "store"),
        reach(store, "front"),
        reach(front, bridge),
        reach(loner, bridge),
        reach(loner, "store"),
    )

    assert list(got) == ["connected", "connected", "TimeoutError", "TimeoutError", "gaierror"]


async def test_a_release_command_runs_once_for_each_deployment(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    """In the application's own volumes and networks, which the first deployment has to make."""
    source = {"type": "image", "image": repository, "tag": "v1"}
    app = await stack.create(
        "migrating", source, volumes=[{"source": "data", "target": "/data"}], networks=["tables"],
        **releases_with(MIGRATE),
    )  # fmt: skip

    deployed = [(await stack.deploy(app)).json() for _ in range(2)]

    assert [one["state"] for one in deployed] == ["succeeded", "succeeded"]
    [container] = containers(engine, stack.prefix, "migrating")  # the command's own is gone
    runs = container.exec_run([PYTHON, "-c", "print(open('/data/runs').read())"])
    assert isinstance(runs.output, bytes)
    assert runs.output.decode().split() == ["ran", "ran"]
    assert (await step(stack, deployed[0]["id"], "release"))["detail"] == "exit code 0"
    assert "migrated the tables" in await stack.log(deployed[0]["id"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (releases_with("print('no such table'); raise SystemExit(4)"), "exited with code 4"),
        (
            {
                "entrypoint": [],
                "command": [PYTHON, "/app/application.py"],
                "release_command": ["/nowhere/to/be/found"],
            },
            "could not be started",
        ),
    ],
    ids=["fails", "does-not-exist"],
)
async def test_a_release_command_that_fails_leaves_everything_as_it_was(
    engine: docker.DockerClient,
    stack: Stack,
    repository: str,
    settings: dict[str, Any],
    words: str,
) -> None:
    name = f"unmigrated-{len(words)}"
    source = {"type": "image", "image": repository, "tag": "v1"}
    app = await stack.create(name, source, domains=[{"host": f"{name}.localhost", "tls": False}])
    answer = await stack.deploy(app)
    assert answer.status_code == 200, answer.text

    failed = await failing(engine, stack, app, **settings)

    assert_says(failed, "release_command_failed", words, "Nothing was switched")
    assert await step(stack, failed["id"], "create") == {}
    if "exited" in words:
        assert "no such table" in await stack.log(failed["id"])


@pytest.mark.parametrize(
    ("manners", "grace", "least"), [("graceful", 3600, 0.0), ("ignore", 2, 2.0)]
)
async def test_a_container_gets_its_grace_and_no_more(
    stack: Stack, repository: str, manners: str, grace: int, least: float
) -> None:
    """One that ends at once is not waited for: the second deployment would take an hour."""
    source = {"type": "image", "image": repository, "tag": "v1"}
    name = f"grace-{grace}"
    app = await stack.create(name, source, env={"ON_SIGTERM": manners}, stop_grace=grace)
    await stack.deploy(app)

    began = time.monotonic()
    second = (await stack.deploy(app)).json()

    assert second["state"] == "succeeded"
    assert time.monotonic() - began >= least
    assert f"{name}-1-0" in (await step(stack, second["id"], "remove"))["detail"]
