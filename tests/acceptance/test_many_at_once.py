"""Many callers at once, and callers while Temporal is away."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from examples.demo.image import make_image
from tests.support.images import temporary_repository
from tests.support.stack import Stack

pytestmark = pytest.mark.docker
CALLERS = 50


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        for tag in ("v1", "v2", "v3"):
            make_image(engine, repository=name, tag=tag, environment={"VERSION": tag})
        yield name


async def application(stack: Stack, name: str, repository: str) -> dict[str, Any]:
    return await stack.create(
        name,
        {"type": "image", "image": repository, "tag": "v1"},
        domains=[{"host": f"{name}.localhost", "tls": False}],
    )


async def test_fifty_calls_with_one_key_are_one_deployment(stack: Stack, repository: str) -> None:
    app = await application(stack, "one-key", repository)

    calls = (stack.deploy(app, "v1", key="same", wait=600) for _ in range(CALLERS))
    answers = await asyncio.gather(*calls)

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_of_fifty_calls_without_a_key_the_newest_wins(stack: Stack, repository: str) -> None:
    app = await application(stack, "no-key", repository)

    answers = await asyncio.gather(
        *(stack.deploy(app, f"v{1 + number % 3}", wait=0) for number in range(CALLERS))
    )
    ends = await asyncio.gather(*(stack.end_of(answer.json()["id"]) for answer in answers))

    newest = max(ends, key=lambda one: int(one["sequence"]))
    assert (newest["state"], newest["reason"], newest["message"]) == ("succeeded", None, None)
    live = (await stack.call("GET", f"/v1/applications/{app['id']}")).json()["live"]
    switches = [one for one in ends if any(step["name"] == "switch" for step in one["steps"])]
    assert len({one["sequence"] for one in ends}) == CALLERS
    assert live["deployment"] == newest["id"]
    assert len(switches) <= 2
    assert Counter(one["reason"] for one in ends if one["state"] == "failed") == {
        "superseded": CALLERS - len(switches)
    }


async def test_of_two_tags_at_once_the_one_taken_last_is_live(
    stack: Stack, repository: str
) -> None:
    app = await application(stack, "two-tags", repository)

    answers = await asyncio.gather(stack.deploy(app, "v2"), stack.deploy(app, "v3"))

    bodies = [answer.json().get("deployment", answer.json()) for answer in answers]
    newer = max(bodies, key=lambda one: int(one["sequence"]))
    shown = (await stack.call("GET", f"/v1/applications/{app['id']}")).json()
    assert shown["live"]["deployment"] == newer["id"]
    assert shown["source"]["tag"] == newer["reference"]


async def test_a_call_while_temporal_is_away_is_deployed_when_it_is_back(
    stack: Stack, repository: str
) -> None:
    app = await application(stack, "no-temporal", repository)
    temporal = stack.pids()["temporal"]
    os.kill(temporal, signal.SIGSTOP)
    try:
        answers = [await stack.deploy(app, tag, wait=0) for tag in ("v1", "v2")]
    finally:
        os.kill(temporal, signal.SIGCONT)

    ends = [await stack.end_of(answer.json()["id"]) for answer in answers]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert [answer.json()["state"] for answer in answers] == ["created", "created"]
    assert ends[1]["state"] == "succeeded"
    assert ends[0]["state"] == "succeeded" or ends[0]["reason"] == "superseded"
