"""From a repository to a running release, on real parts."""

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from cli.demo.image import APPLICATION
from tests.support.builder import small_builder
from tests.support.git_server import GitServer, git_server
from tests.support.github import ZERO, delivery, push
from tests.support.images import temporary_repository
from tests.support.outside import ask, containers, until
from tests.support.stack import Stack, free_ports, running_stack

pytestmark = pytest.mark.docker
PROCFILE = "web: /usr/local/bin/python -I -S -B application.py\n"


@pytest.fixture(scope="module")
def builder(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as repository:
        yield small_builder(engine, repository)


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with git_server(tmp_path_factory.mktemp("git")) as server:
        yield server


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("builds")
    async with running_stack(
        directory,
        AWEIGH_PRIVATE_TARGETS='["127.0.0.0/8"]',
        AWEIGH_KEEP_RELEASES="2",
    ) as running:  # fmt: skip
        yield running


def source(git: GitServer, builder: str, name: str, **build: Any) -> dict[str, Any]:
    return {"type": "git", "repository": git.url(name), "build": {"builder": builder, **build}}


FILES = {"Procfile": PROCFILE, "application.py": APPLICATION.read_text()}


async def follow(
    stack: Stack, git: GitServer, builder: str, name: str, **settings: Any
) -> dict[str, Any]:
    """A new application that follows the repository of its name."""
    given = source(git, builder, name) | settings.pop("source", {})
    return await stack.create(
        name, given, env={"NAME": name},
        domains=[{"host": f"{name}.localhost", "tls": False}], **settings,
    )  # fmt: skip


async def failed(stack: Stack, app: dict[str, Any], **options: Any) -> dict[str, Any]:
    answer = await stack.deploy(app, **options)
    assert answer.status_code == 424, answer.text
    return dict(answer.json()["deployment"])


def steps(deployment: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["detail"] for one in deployment["steps"]}


async def test_a_repository_becomes_a_running_release(
    stack: Stack, git: GitServer, builder: str
) -> None:
    commit = git.push("shop", FILES)
    app = await follow(stack, git, builder, "shop")

    answer = await stack.deploy(app)

    assert answer.status_code == 200, answer.text
    deployed = answer.json()
    assert deployed["commit"] == commit
    assert deployed["image"]["reference"].startswith(f"{stack.prefix}/shop:built-")
    assert (await ask(stack, "shop.localhost")).text == "shop unknown\n"
    assert "process web: /usr/local/bin/python" in await stack.log(deployed["id"])


async def test_equal_content_is_not_built_twice(stack: Stack, git: GitServer, builder: str) -> None:
    git.push("twice", FILES)
    app = await follow(stack, git, builder, "twice")
    first = (await stack.deploy(app)).json()

    again = (await stack.deploy(app)).json()
    anew = await stack.call(
        "POST", f"/v1/applications/{app['id']}/deployments?wait=120", json={"rebuild": True}
    )

    assert again["image"] == first["image"]
    assert "process web" not in await stack.log(again["id"])
    assert "process web" in await stack.log(anew.json()["id"])
    assert anew.json()["image"]["id"] == first["image"]["id"]  # the same, made once more


async def test_a_signed_push_goes_live_and_a_broken_one_leaves_it_live(
    stack: Stack, git: GitServer, builder: str
) -> None:
    first = git.push("pushed", FILES)
    app = await follow(stack, git, builder, "pushed")

    async def pushed(before: str, after: str) -> dict[str, Any]:
        payload = push(git.url("pushed"), before=before, after=after)
        request = delivery(payload, app["webhook_secret"])
        answer = await stack.client.post("/v1/github/webhooks", **request)
        [made] = answer.json()["deployments"]
        return dict(await stack.deployment(made, wait=120))

    live = await pushed(ZERO, first)
    broken = git.push("pushed", {"Procfile": "web without a colon\n"})
    fails = await pushed(first, broken)

    assert (live["state"], live["commit"], live["trigger"]) == ("succeeded", first, "push")
    assert (fails["state"], fails["reason"]) == ("failed", "build_failed")
    assert "Procfile: not `name: command`" in await stack.log(fails["id"])
    assert (await ask(stack, "pushed.localhost")).text == "pushed unknown\n"


async def test_a_pushed_commit_is_built_wherever_the_branch_goes_but_a_forks_is_not(
    stack: Stack, git: GitServer, builder: str
) -> None:
    first = git.push("forced", FILES)
    pushed = git.push("forced", {"number": "2"})
    app = await follow(stack, git, builder, "forced")
    git.move("forced", "main", first)
    forked = git.push("forced", {"number": "3"}, "refs/pull/1/head")

    payload = push(git.url("forced"), before=first, after=pushed)
    answer = await stack.client.post(
        "/v1/github/webhooks", **delivery(payload, app["webhook_secret"])
    )
    live = await stack.deployment(answer.json()["deployments"][0], wait=120)
    path = f"/v1/applications/{app['id']}/deployments?wait=120"
    refused = await stack.call("POST", path, json={"commit": forked})

    assert (live["state"], live["commit"]) == ("succeeded", pushed)
    assert refused.json()["deployment"]["reason"] == "commit_not_on_branch"


async def test_what_no_buildpack_recognises_is_said(
    stack: Stack, git: GitServer, builder: str
) -> None:
    git.push("odd", {"README.md": "nothing to run"})

    end = await failed(stack, await follow(stack, git, builder, "odd"))

    assert end["reason"] == "no_buildpack"
    assert "No buildpack of the builder recognised this repository" in end["message"]


@pytest.mark.parametrize(
    ("name", "given", "reason", "words"),
    [
        ("no-branch", {"branch": "gone"}, "commit_not_found", "no branch or tag 'gone'"),
        ("no-builder", {"build": {"builder": "{repository}:run"}}, "builder_not_found",
         "is not a builder image"),
        ("no-directory", {"subdirectory": "web"}, "build_failed", "no directory 'web'"),
        ("linked", {"subdirectory": "link"}, "build_failed", "links are not followed"),
    ],
)  # fmt: skip
async def test_what_cannot_be_built_is_said(
    engine: docker.DockerClient,
    stack: Stack,
    git: GitServer,
    builder: str,
    name: str,
    given: dict[str, Any],
    reason: str,
    words: str,
) -> None:
    git.push(name, FILES)
    (git.root / "work" / name / "link").symlink_to("/etc")
    git.push(name, {})
    if "build" in given:
        given = {"build": {"builder": builder.replace(":builder", ":run")}}

    end = await failed(stack, await follow(stack, git, builder, name, source=given))

    assert end["reason"] == reason
    assert words in end["message"]
    assert leavings(engine, stack) == []


def leavings(engine: docker.DockerClient, stack: Stack) -> list[str]:
    """What builds have left on the engine and on disk."""
    prefix = f"{stack.prefix}.build-"
    found = [one.name for one in engine.containers.list(all=True) if one.name.startswith(prefix)]
    found += [one.name for one in engine.volumes.list() if one.name.startswith(prefix)]
    builds = stack.data / "server" / "builds"
    return found + [one.name for one in builds.iterdir() if one.is_dir()]


async def test_a_private_repository_is_read_with_its_token_only(
    stack: Stack, tmp_path: Path, builder: str
) -> None:
    with git_server(tmp_path) as git:
        git.users = {"x-access-token": "correct-horse-battery"}
        git.push("private", FILES)
        token = {"credentials": {"type": "token", "token": "correct-horse-battery"}}
        app = await follow(stack, git, builder, "private", source=token)
        wrong = {"credentials": {"type": "token", "token": "wrong-horse-battery"}}

        deployed = (await stack.deploy(app)).json()
        await stack.call("PATCH", f"/v1/applications/{app['id']}", json={"source": wrong})
        git.push("private", {"more": "x"})
        refused = await failed(stack, app)

    assert deployed["state"] == "succeeded"
    assert refused["reason"] == "repository_auth"
    for text in (await stack.log(deployed["id"]), await stack.log(refused["id"]), str(refused)):
        assert "horse-battery" not in text
    shown = (await stack.call("GET", f"/v1/applications/{app['id']}")).json()
    assert shown["source"]["credentials"] == {"type": "token", "username": "x-access-token"}


async def test_images_that_no_kept_release_has_and_caches_of_removed_applications_go(
    engine: docker.DockerClient, stack: Stack, git: GitServer, builder: str
) -> None:
    repository = f"{stack.prefix}/kept"
    git.push("kept", FILES)
    app = await follow(stack, git, builder, "kept")
    for number in range(3):  # two are kept
        git.push("kept", {"number": str(number)})
        assert (await stack.deploy(app)).status_code == 200

    def built() -> list[str]:
        tags = [tag for one in engine.images.list(name=repository) for tag in one.tags]
        return [tag for tag in tags if ":built-" in tag]

    async def two_are_left() -> bool:
        return len(built()) == 2

    await until(two_are_left)
    await stack.call("DELETE", f"/v1/applications/{app['id']}?volumes=true")
    await stack.until_gone(app)

    assert built() == []
    assert engine.volumes.list(filters={"name": f"{stack.prefix}.cache-kept"}) == []


SPY = """
import socket
for host, port in {targets}:
    try:
        socket.create_connection((host, port), 3).close()
        print(f"reached {{host}}:{{port}}", flush=True)
    except OSError as error:
        print(f"{{host}}:{{port}} refused: {{error}}", flush=True)
import os
print("socket seen:", os.path.exists("/var/run/docker.sock"), flush=True)
print("who:", os.getuid(), os.getgroups(), flush=True)
"""


async def test_what_is_built_reaches_nothing_of_this_server(
    engine: docker.DockerClient, stack: Stack, git: GitServer, builder: str
) -> None:
    gateway = engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    [port] = free_ports(1)
    victim = await follow(stack, git, builder, "victim", ports=[{"host": port, "container": 8080}])
    git.push("victim", FILES)
    assert (await stack.deploy(victim)).status_code == 200
    [container] = containers(engine, stack.prefix, "victim")
    address = container.attrs["NetworkSettings"]["Networks"][stack.prefix]["IPAddress"]
    targets = [
        (address, 8080), (gateway, port), (gateway, stack.web_port), ("169.254.169.254", 80),
        (gateway, 22),
    ]  # fmt: skip
    for host, number in ((address, 8080), (gateway, port), (gateway, stack.web_port)):
        socket.create_connection((host, number), 3).close()  # from here they are reached
    git.push("spy", FILES | {"build.py": SPY.format(targets=targets)})
    app = await follow(stack, git, builder, "spy")

    deployed = (await stack.deploy(app)).json()

    log = await stack.log(deployed["id"])
    assert "reached" not in log
    assert log.count("refused:") == len(targets)
    assert "socket seen: False" in log
    assert "who: 1000 [1000]" in log


@pytest.mark.parametrize(
    ("name", "script", "limits", "reason"),
    [
        ("memory", "x = bytearray(2**33)\nfor i in range(0, 2**33, 4096): x[i] = 1",
         {"memory": "64m"}, "out_of_memory"),
        ("forks", "import os\nwhile True: os.fork()", {"pids": 64}, "build_failed"),
        ("fails", "raise SystemExit('the build says no')", {}, "build_failed"),
    ],
)  # fmt: skip
async def test_a_hostile_build_is_contained(
    engine: docker.DockerClient,
    stack: Stack,
    git: GitServer,
    builder: str,
    name: str,
    script: str,
    limits: dict[str, Any],
    reason: str,
) -> None:
    git.push(name, FILES | {"build.py": script})
    build = {"builder": builder, "limits": limits}

    end = await failed(stack, await follow(stack, git, builder, name, source={"build": build}))

    assert end["reason"] == reason, end
    assert leavings(engine, stack) == []


async def test_a_cancelled_build_is_gone(
    engine: docker.DockerClient, stack: Stack, git: GitServer, builder: str
) -> None:
    script = "import time\nprint('it waits', flush=True)\ntime.sleep(600)"
    git.push("sleeps", FILES | {"build.py": script})
    app = await follow(stack, git, builder, "sleeps")
    deployment = (await stack.deploy(app, wait=0)).json()

    async def it_sleeps() -> bool:
        return "it waits" in await stack.log(deployment["id"])

    await until(it_sleeps)
    answer = await stack.call("POST", f"/v1/deployments/{deployment['id']}/cancel?wait=60")

    assert (answer.status_code, answer.json()["reason"]) == (200, "cancelled")
    assert leavings(engine, stack) == []


async def test_a_build_whose_worker_dies_goes_on(
    stack: Stack, git: GitServer, builder: str
) -> None:
    script = "import time\nfor i in range(60): print(f'line {i}', flush=True); time.sleep(0.2)"
    git.push("survives", FILES | {"build.py": script})
    app = await follow(stack, git, builder, "survives")
    deployment = (await stack.deploy(app, wait=0)).json()

    async def it_has_begun() -> bool:
        return "line 5" in await stack.log(deployment["id"])

    await until(it_has_begun)
    stack.kill("server")
    end = await stack.deployment(deployment["id"], wait=120)

    assert end["state"] == "succeeded"
    log = await stack.log(deployment["id"])
    numbers = [line.rpartition(" ")[2] for line in log.splitlines() if " line " in line]
    assert numbers == [str(number) for number in range(60)]
