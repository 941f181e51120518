"""From a Dockerfile to a running release, by a real BuildKit."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from aweigh.builds.dockerfile.buildkit_container import PHASE
from aweigh.engine.naming import Names
from tests.support.building import leavings
from tests.support.buildkit_image import buildkit_image
from tests.support.checkpoint import default_bridge_address
from tests.support.dockerfiles import DOCKERFILE, RESULT, TOOLS, Files, python_files, tools_files
from tests.support.git_server import GitServer, git_server
from tests.support.github import ZERO, delivery, push
from tests.support.images import temporary_repository
from tests.support.outside import ask, containers, until
from tests.support.process_arguments import watched_arguments
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.docker

SECRET = "swordfish-in-the-deep"
ARGUMENT = 'it\'s a $COLOUR of "salt"'


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with git_server(tmp_path_factory.mktemp("git")) as server:
        yield server


@pytest.fixture(scope="module")
async def stack(
    engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    with temporary_repository(engine) as repository:
        async with running_stack(
            tmp_path_factory.mktemp("dockerfiles"),
            AWEIGH_PRIVATE_TARGETS='["127.0.0.0/8"]',
            AWEIGH_BUILDKIT_IMAGE=buildkit_image(engine, repository),
        ) as running:
            yield running


@pytest.fixture(scope="module")
def tools() -> Files:
    return tools_files()


@pytest.fixture(scope="module")
def python() -> Files:
    return python_files()


async def follow(stack: Stack, git: GitServer, name: str, **build: Any) -> dict[str, Any]:
    """A new application that follows the repository of its name."""
    given = {"method": "dockerfile", **build}
    source = {"type": "git", "repository": git.url(name), "build": given}
    domains = [{"host": f"{name}.localhost", "tls": False}]
    return await stack.create(name, source, env={"NAME": name}, domains=domains)


async def failed(stack: Stack, app: dict[str, Any]) -> dict[str, Any]:
    answer = await stack.deploy(app)
    assert answer.status_code == 424, answer.text
    return dict(answer.json()["deployment"])


async def test_a_push_goes_live_by_its_dockerfile_and_a_broken_one_leaves_it_live(
    engine: docker.DockerClient, stack: Stack, git: GitServer, tools: Files, python: Files
) -> None:
    first = git.push("shop", {**tools, **python, "Dockerfile": DOCKERFILE, "a.txt": "1"})
    app = await follow(
        stack, git, "shop", args={"GREETING": ARGUMENT, "NOBODY": "x"}, secrets={"token": SECRET}
    )

    async def pushed(before: str, after: str) -> dict[str, Any]:
        request = delivery(push(git.url("shop"), before=before, after=after), app["webhook_secret"])
        answer = await stack.client.post("/v1/github/webhooks", **request)
        [made] = answer.json()["deployments"]
        return dict(await stack.deployment(made, wait=600))

    with watched_arguments() as command_lines:
        live = await pushed(ZERO, first)
    second = git.push("shop", {"a.txt": "2"})
    cached = await pushed(first, second)
    broken = git.push("shop", {"Dockerfile": DOCKERFILE.replace("echo built", "exit 7; echo")})
    fails = await pushed(second, broken)

    assert live["state"] == "succeeded", (live, await stack.log(live["id"]))
    assert live["image"]["reference"].startswith(f"{stack.prefix}/shop:built-")
    log = await stack.log(live["id"])
    assert f"it has {len(SECRET)}" in log
    assert "build arguments without an ARG in the Dockerfile: NOBODY" in log
    assert "salt" not in log  # an argument is masked as a secret is
    assert "greeting: **********" in log
    assert any("buildctl" in words for words in command_lines)
    assert not any(SECRET in words or "salt" in words for words in command_lines)
    saved = b"".join(engine.images.get(live["image"]["id"]).save())
    assert SECRET.encode() not in saved
    assert SECRET not in str(engine.api.history(live["image"]["id"]))  # type: ignore[no-untyped-call]

    assert cached["state"] == "succeeded"
    assert f"it has {len(SECRET)}" not in await stack.log(cached["id"])
    assert (fails["reason"], "exit code 7" in fails["message"]) == ("build_failed", True)
    assert (await ask(stack, "shop.localhost")).text == "shop unknown\n"
    assert leavings(engine, stack) == []


SPY = """
import os, socket
for host, port in {targets}:
    try:
        socket.create_connection((host, port), 3).close()
        print(f"reached {{host}}:{{port}}", flush=True)
    except OSError as error:
        print(f"{{host}}:{{port}} refused: {{error}}", flush=True)
print("named:", socket.gethostbyname("{name}") != "", flush=True)
print("socket seen:", os.path.exists("/var/run/docker.sock"), flush=True)
print("processes:", [one for one in os.listdir("/proc") if one.isdigit()], flush=True)
print("outside it is", open("/proc/self/uid_map").read().split()[:3], flush=True)
"""


async def test_a_run_reaches_nothing_of_this_server(
    engine: docker.DockerClient, stack: Stack, git: GitServer, python: Files
) -> None:
    gateway = default_bridge_address(engine)
    [victim] = containers(engine, stack.prefix, "shop")
    network = f"{stack.prefix}.application-shop"
    address = victim.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
    api = int(stack.environment["AWEIGH_API_PORT"])
    targets = [
        (address, 8000), (gateway, stack.web_port), ("127.0.0.1", api), ("169.254.169.254", 80),
    ]  # fmt: skip
    run = '["/usr/local/bin/python", "-I", "-S", "-B", "/spy.py"]'
    text = f"FROM scratch\nADD base.tar.gz /\nCOPY spy.py /\nRUN {run}\n"
    own = Names(stack.prefix).build("spy", 1, PHASE)
    spy = SPY.format(targets=targets, name=own)
    git.push("spy", {**python, "Dockerfile": text, "spy.py": spy})
    reached = [f"http://{host}:{port}/" for host, port in targets[:3]]
    added = {f"{i}": f"FROM scratch\nADD {url} /x\n" for i, url in enumerate(reached)}
    git.push("adds", added)

    ran = await failed(stack, await follow(stack, git, "spy"))  # it has no command
    app = await follow(stack, git, "adds")
    answers = []
    for name in added:
        change = {"source": {"build": {"dockerfile": name}}}
        await stack.call("PATCH", f"/v1/applications/{app['id']}", json=change)
        answers.append(await failed(stack, app))

    log = await stack.log(ran["id"])
    assert ran["reason"] == "start_failed", ran
    assert "reached" not in log
    assert log.count("refused:") == len(targets)
    assert "socket seen: False" in log
    assert "processes: ['1']" in log
    assert "named: True" in log  # by the engine's name server
    assert "outside it is ['0', '1000', '1']" in log
    for answer, url in zip(answers, reached, strict=True):
        assert answer["reason"] == "build_failed"
        assert f'Get "{url}": dial tcp' in answer["message"]
    assert (await ask(stack, "shop.localhost")).text == "shop unknown\n"


HOG = "RUN x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"
FORKS = "RUN f() { f & f; }; f; wait; sleep 1; exit 3"


@pytest.mark.parametrize(
    ("name", "line", "build", "reason", "words"),
    [
        ("hog", HOG, {"limits": {"memory": "256m"}}, "out_of_memory", "build.limits.memory"),
        pytest.param("forks", FORKS, {"limits": {"pids": 100}}, "build_failed", "exit code",
                     marks=pytest.mark.long),
        pytest.param("absent", "", {"dockerfile": "docker/web"}, "dockerfile_not_found",
                     "'docker/web'", marks=pytest.mark.long),
        pytest.param("linked", "", {"dockerfile": "link"}, "dockerfile_not_found",
                     "links are not followed", marks=pytest.mark.long),
        pytest.param("typo", "RUNN x", {}, "dockerfile_invalid", "RUNN", marks=pytest.mark.long),
        pytest.param("endless", "#" * 2**20, {}, "dockerfile_invalid", "longer than 1024 KiB",
                     marks=pytest.mark.long),
        pytest.param("stage", "", {"target": "web"}, "dockerfile_invalid", "build.target",
                     marks=pytest.mark.long),
        pytest.param("uncopied", "COPY no /", {}, "build_failed", '"/no": not found',
                     marks=pytest.mark.long),
        pytest.param("slow", "RUN sleep 300", {"limits": {"minutes": 1}}, "timed_out",
                     "build.limits.minutes", marks=pytest.mark.long),
        pytest.param("no-base", "FROM registry.invalid/a:1", {}, "registry_unavailable",
                     "registry.invalid/a:1", marks=pytest.mark.long),
    ],
)  # fmt: skip
async def test_what_cannot_be_built_is_said_and_leaves_nothing(
    engine: docker.DockerClient,
    stack: Stack,
    git: GitServer,
    tools: Files,
    name: str,
    line: str,
    build: dict[str, Any],
    reason: str,
    words: str,
) -> None:
    git.push(name, {**tools, "Dockerfile": TOOLS + line})
    (git.tree(name) / "link").symlink_to("Dockerfile")
    git.push(name, {})

    end = await failed(stack, await follow(stack, git, name, **build))

    assert end["reason"] == reason, end
    assert words in end["message"]
    assert leavings(engine, stack) == []


async def begun(stack: Stack, app: dict[str, Any], line: str) -> dict[str, Any]:
    """A deployment whose build has written this line."""
    deployment = (await stack.deploy(app, wait=0)).json()

    async def it_has_begun() -> bool:
        return f" {line}\n" in await stack.log(deployment["id"])

    await until(it_has_begun)
    return dict(deployment)


async def test_a_cancelled_build_is_gone(
    engine: docker.DockerClient, stack: Stack, git: GitServer, tools: Files
) -> None:
    git.push("sleeps", {**tools, "Dockerfile": f"{TOOLS}RUN echo it waits; sleep 600"})
    app = await follow(stack, git, "sleeps")
    deployment = await begun(stack, app, "it waits")

    answer = await stack.call("POST", f"/v1/deployments/{deployment['id']}/cancel?wait=600")

    assert (answer.status_code, answer.json()["reason"]) == (200, "cancelled")
    assert leavings(engine, stack) == []
    await stack.call("DELETE", f"/v1/applications/{app['id']}")
    await stack.until_gone(app)
    assert engine.volumes.list(filters={"name": f"{stack.prefix}.cache-sleeps"}) == []


@pytest.mark.long
async def test_a_build_whose_worker_dies_goes_on(
    stack: Stack, git: GitServer, tools: Files, python: Files
) -> None:
    count = "RUN i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.2; done"
    text = f"{TOOLS}{count}; echo over > /built\n{RESULT.replace('=build', '=tools')}"
    git.push("survives", {**tools, **python, "Dockerfile": text})
    app = await follow(stack, git, "survives")
    deployment = await begun(stack, app, "line 5")

    stack.kill("server")
    end = await stack.deployment(deployment["id"], wait=600)

    assert end["state"] == "succeeded"
    log = await stack.log(deployment["id"])
    numbers = [words[-1] for line in log.splitlines() if (words := line.split())[-2:-1] == ["line"]]
    assert numbers == [str(number) for number in range(60)]


@pytest.mark.long
async def test_a_build_that_fills_the_disk_is_stopped_at_the_reserve(
    engine: docker.DockerClient, stack: Stack, git: GitServer, tools: Files, tmp_path: Path
) -> None:
    before = shutil.disk_usage(engine.info()["DockerRootDir"]).free
    settings = {
        key: value for key, value in stack.environment.items()
        if key in ("AWEIGH_PRIVATE_TARGETS", "AWEIGH_BUILDKIT_IMAGE")
    } | {"AWEIGH_DISK_RESERVE_BYTES": str(before - 2**30)}  # fmt: skip
    fill = "RUN x=12345678; x=$x$x$x$x$x$x$x$x; while :; do echo $x$x$x$x; done > /fill"
    git.push("fill", {**tools, "Dockerfile": TOOLS + fill})

    async with running_stack(tmp_path, **settings) as full:
        end = await failed(full, await follow(full, git, "fill"))

        assert end["reason"] == "disk_full", end
        assert leavings(engine, full) == []
        assert engine.volumes.list(filters={"name": f"{full.prefix}.cache"}) == []
    assert shutil.disk_usage(engine.info()["DockerRootDir"]).free > before - 2**29
