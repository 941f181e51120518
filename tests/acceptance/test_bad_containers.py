"""Containers that do not become healthy: what is said of them, and what is left alone."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from examples.demo.image import PYTHON, make_image
from tests.support.images import Variant, make_variant, temporary_repository
from tests.support.outside import failing, step
from tests.support.programs import runs
from tests.support.stack import Stack
from tests.support.world import assert_says

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        make_image(engine, repository=name, tag="v1", environment={"NAME": "bad"})
        for variant in (Variant.HEALTHCHECK, Variant.NO_PORT):
            tag = variant.name.lower()
            make_variant(engine, variant, repository=name, tag=tag, environment={"NAME": "bad"})
        yield name


@pytest.fixture(scope="module")
async def live(stack: Stack, repository: str) -> dict[str, Any]:
    """An application that is live, and stays so through everything that happens here."""
    app = await stack.create(
        "bad-containers",
        {"type": "image", "image": repository, "tag": "v1"},
        domains=[{"host": "bad-containers.localhost", "tls": False}],
    )
    answer = await stack.deploy(app)
    assert answer.status_code == 200, answer.text
    return app


async def test_one_that_exits_at_once(
    engine: docker.DockerClient, stack: Stack, live: dict[str, Any]
) -> None:
    code = "import sys; print('reading /etc/shop.conf'); print('no such file'); sys.exit(7)"

    failed = await failing(engine, stack, live, **runs(code))

    name = f"{stack.prefix}-bad-containers-{failed['sequence']}-0"
    assert_says(failed, "start_failed", f"{name} exited with code 7")
    shown = (await step(stack, failed["id"], "health"))["detail"]
    assert "reading /etc/shop.conf\nno such file" in shown
    assert re.search(r"Z reading /etc/shop.conf\n.*Z no such file\n", await stack.log(failed["id"]))


async def test_one_that_the_engine_starts_again_and_again(
    engine: docker.DockerClient, stack: Stack, live: dict[str, Any]
) -> None:
    """The engine forgets an exit code as soon as the container runs again."""
    code = "import sys, time; time.sleep(0.3); sys.exit(9)"
    restarting = {"restart": "always", "health_check": {"type": "uptime", "seconds": 30}}

    failed = await failing(engine, stack, live, **runs(code), **restarting)

    assert_says(failed, "start_failed", "exited with code 9")


async def test_one_that_needs_more_memory_than_it_may(
    engine: docker.DockerClient, stack: Stack, live: dict[str, Any]
) -> None:
    code = "print('filling up'); hoard = b'x' * 200_000_000"

    failed = await failing(engine, stack, live, **runs(code), resources={"memory": "32m"})

    assert_says(failed, "start_failed", "code 137", "out of memory", "its limit of 32m")
    assert "filling up" in (await step(stack, failed["id"], "health"))["detail"]


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        (
            {"env": {"UNHEALTHY": "1"}, "health_check": {"type": "http", "deadline": 1}},
            r"within 1 s: GET http://10[.0-9]+:8000/ was answered 503",
        ),
        (
            {"env": {"LISTEN": "0"}, "health_check": {"type": "tcp", "deadline": 1}},
            r"within 1 s: connecting to 10[.0-9]+:8000 failed: Connection refused",
        ),
        (
            {"health_check": {"type": "http", "path": "/status/204", "status": 200, "deadline": 1}},
            r"/status/204 was answered 204",
        ),
    ],
    ids=["http", "tcp", "status"],
)
async def test_one_that_never_becomes_healthy(
    engine: docker.DockerClient,
    stack: Stack,
    live: dict[str, Any],
    settings: dict[str, Any],
    seen: str,
) -> None:
    failed = await failing(engine, stack, live, **settings)

    assert failed["reason"] == "unhealthy"
    assert re.search(seen, failed["message"]), failed["message"]
    assert "bad unknown: starts" in await stack.log(failed["id"])


async def test_one_whose_own_healthcheck_fails(stack: Stack, repository: str) -> None:
    app = await stack.create(
        "ill", {"type": "image", "image": repository, "tag": "healthcheck"},
        env={"UNHEALTHY": "1"}, health_check={"type": "image", "deadline": 2},
    )  # fmt: skip

    failed = (await stack.deploy(app)).json()["deployment"]

    assert_says(failed, "unhealthy", "within 2 s: HEALTHCHECK is unhealthy")
    assert "If it needs longer to start, set `health_check.deadline`" in failed["message"]


@pytest.mark.long  # it starts for longer than the minute that any image is given
async def test_one_whose_own_healthcheck_gives_it_longer_to_start(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    begun = ("import os, time; p = '/tmp/begun'; open(p, 'a'); "
             "raise SystemExit(time.time() - os.stat(p).st_mtime < 70)")  # fmt: skip
    command = json.dumps([PYTHON, "-I", "-S", "-c", begun])
    check = f"--interval=1s --start-period=100s --retries=1 CMD {command}"
    make_image(
        engine, repository=repository, tag="slow-start", environment={"VERSION": "slow-start"},
        instructions=[f"HEALTHCHECK {check}"],
    )  # fmt: skip
    app = await stack.create(
        "slow-start", {"type": "image", "image": repository, "tag": "slow-start"}
    )

    deployed = await stack.deploy(app, wait=200)

    assert deployed.json()["state"] == "succeeded", deployed.text


async def test_one_without_the_healthcheck_that_is_asked_for_is_not_waited_for(
    engine: docker.DockerClient, stack: Stack, live: dict[str, Any]
) -> None:
    failed = await failing(engine, stack, live, health_check={"type": "image"})

    assert_says(failed, "unhealthy", "The image has no HEALTHCHECK")
    assert "within" not in failed["message"]


async def test_one_that_answers_drop_by_drop_does_not_hold_the_gate(
    engine: docker.DockerClient, stack: Stack, live: dict[str, Any]
) -> None:
    drip = """
import socket, time
listening = socket.create_server(("", 8000))
while True:
    connection, _ = listening.accept()
    try:
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nX-Long: ")
        while True:
            connection.sendall(b"x")
            time.sleep(0.2)
    except OSError:
        pass
"""
    failed = await failing(
        engine, stack, live, **runs(drip), health_check={"type": "http", "deadline": 1}
    )

    assert_says(failed, "unhealthy", "got no answer")


async def test_the_gate_that_was_passed_is_named(stack: Stack, repository: str) -> None:
    """The one that was set, else the best one that the image allows."""

    async def passed(tag: str, check: dict[str, Any] | None = None) -> str:
        source = {"type": "image", "image": repository, "tag": tag}
        name = f"gate-{tag.replace('_', '-')}-{check['type'] if check else 'chosen'}"
        app = await stack.create(name, source, health_check=check)
        deployed = (await stack.deploy(app)).json()
        assert deployed["state"] == "succeeded"
        # Its health check would run five times a second for as long as the stack does.
        await stack.call("DELETE", f"/v1/applications/{app['id']}")
        return str((await step(stack, deployed["id"], "health"))["detail"])

    http, tcp, image, uptime, longer = await asyncio.gather(
        passed("v1", {"type": "http", "path": "/status/204", "status": 204}),
        passed("v1"),
        passed("healthcheck"),
        passed("no_port"),
        passed("no_port", {"type": "uptime", "seconds": 2, "deadline": 1}),
    )

    assert re.fullmatch(r"http: GET http://10[.0-9]+:8000/status/204 was answered 204", http)
    assert re.fullmatch(r"tcp: 10[.0-9]+:8000 accepts connections", tcp)
    assert image == "image: HEALTHCHECK is healthy"
    assert re.fullmatch(r"uptime: up for ([5-9]|\d\d+) s", uptime)
    assert re.fullmatch(r"uptime: up for ([2-9]|\d\d+) s", longer)
