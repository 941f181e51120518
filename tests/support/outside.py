"""What can be seen of an application from outside: by HTTP, on the engine, in the API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

import docker
import httpx2
from docker.models.containers import Container

from tests.support.stack import Stack

T = TypeVar("T")


async def ask(stack: Stack, host: str, path: str = "/") -> httpx2.Response:
    """One request through the proxy, on a connection of its own."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{stack.web_port}{path}"
        return await client.get(url, headers={"Host": host})


def containers(engine: docker.DockerClient, prefix: str, slug: str) -> list[Container]:
    """Every container of an application, running or not."""
    return named(engine, f"{prefix}-{slug}-[0-9]")


def named(engine: docker.DockerClient, pattern: str) -> list[Container]:
    """Every container whose name begins so, also while others are being removed."""
    return list(
        engine.containers.list(all=True, filters={"name": f"^/{pattern}"}, ignore_removed=True)
    )


async def picture(
    engine: docker.DockerClient, stack: Stack, application: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that a failed deployment must leave as it was."""
    shown = (await stack.call("GET", f"/v1/applications/{application['id']}")).json()
    answers = {
        domain["host"]: (await ask(stack, domain["host"], domain["path"])).text
        for domain in shown["domains"]
    }
    found = containers(engine, stack.prefix, application["slug"])
    return {
        "answers": answers,
        "containers": {
            one.name: (one.id, one.status, one.attrs["State"]["StartedAt"]) for one in found
        },
        "live": shown["live"],
        "source": shown["source"],
    }


async def step(stack: Stack, deployment_id: str, name: str) -> dict[str, Any]:
    """A step of a deployment, empty while there is none."""
    answer = await stack.call("GET", f"/v1/deployments/{deployment_id}/steps")
    found = [one for one in answer.json()["items"] if one["name"] == name]
    return dict(found[0]) if found else {}


async def story(stack: Stack, deployment: Mapping[str, Any]) -> str:
    """The current details of a deployment's workflow, as Temporal's UI shows them."""
    handle = (await stack.temporal()).get_workflow_handle(deployment["workflow"]["id"])
    return str((await handle.query("__temporal_workflow_metadata")).current_details)


def starts_and_ends(
    engine: docker.DockerClient, application: Mapping[str, Any], since: float
) -> list[dict[str, Any]]:
    """Return the engine's own events of an application's containers."""
    # The engine takes fractions of a second, which its client's types do not know.
    between = {"since": cast(int, since), "until": cast(int, time.time())}
    wanted = {
        "type": "container", "event": ["start", "die"],
        "label": f"aweigh.application={application['id']}",
    }  # fmt: skip
    return list(engine.events(**between, decode=True, filters=wanted))


async def progress_in_temporal(stack: Stack, deployment: Mapping[str, Any]) -> str:
    """The heartbeat details of the running step, as Temporal's UI shows them."""
    handle = (await stack.temporal()).get_workflow_handle(deployment["workflow"]["id"])
    pending = (await handle.describe()).raw_description.pending_activities
    return " ".join(
        one.data.decode() for each in pending for one in each.heartbeat_details.payloads
    )


async def until(check: Callable[[], Awaitable[T | None]], seconds: float = 300) -> T:
    """What the check gives, as soon as that is something."""
    pause = 0.05
    async with asyncio.timeout(seconds):
        while True:
            if found := await check():
                return found
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, 0.3)  # every check takes time from the stack


async def swept(stack: Stack, deployment_id: str) -> None:
    """Wait until the last step of a deployment, which nobody waits for, is done."""

    async def done() -> bool:
        return (await step(stack, deployment_id, "sweep")).get("state") == "succeeded"

    await until(done)


async def change(stack: Stack, application: Mapping[str, Any], **settings: Any) -> None:
    """Change settings of an application, or take them away."""
    answer = await stack.call("PATCH", f"/v1/applications/{application['id']}", json=settings)
    assert answer.is_success, answer.text


async def failing(
    engine: docker.DockerClient, stack: Stack, application: Mapping[str, Any], **settings: Any
) -> dict[str, Any]:
    """The deployment with these settings, which fails and leaves what is live untouched."""
    await change(stack, application, **settings)
    before = await picture(engine, stack, application)
    answer = await stack.deploy(application)
    await change(stack, application, **dict.fromkeys(settings))
    assert answer.status_code == 424, answer.text
    after = await picture(engine, stack, application)
    assert (after["answers"], after["containers"], after["live"]) == (
        before["answers"], before["containers"], before["live"],
    )  # fmt: skip
    return dict(answer.json()["deployment"])
