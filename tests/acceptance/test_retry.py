"""Trying again: over HTTP, and by the very commands the docs give for Temporal's command line."""

import asyncio
import re
import shlex
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from examples.demo.image import make_image
from tests.support.documented import ROOT, temporal_command
from tests.support.images import temporary_repository
from tests.support.outside import named
from tests.support.ports import free_ports
from tests.support.resetting import task_before
from tests.support.stack import Stack

#: The workflow that the documentation takes for an example.
EXAMPLE = "deployment/shop/7-3k9q2a"

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        make_image(engine, repository=name, tag="v1", environment={"NAME": "again"})
        yield name


def mend(engine: docker.DockerClient, repository: str, tag: str) -> None:
    """The image that was missing or broken is there now."""
    make_image(engine, repository=repository, tag=tag, environment={"NAME": "again"})


async def application(stack: Stack, name: str, repository: str) -> dict[str, Any]:
    return await stack.create(
        name,
        {"type": "image", "image": repository, "tag": "v1", "pull": "never"},
        domains=[{"host": f"{name}.localhost", "tls": False}],
    )


async def failed(stack: Stack, app: dict[str, Any], tag: str) -> dict[str, Any]:
    answer = await stack.deploy(app, tag)
    assert answer.status_code == 424, answer.text
    return dict(answer.json()["deployment"])


async def temporal(stack: Stack, deployment_id: str, *words: str, event: str = "N") -> str:
    """Run the documented command that has these words, on this deployment."""
    command = temporal_command(*words)
    assert EXAMPLE in command
    command = command.replace(EXAMPLE, await stack.workflow_of(deployment_id))
    arguments = shlex.split(command.replace("--event-id N", f"--event-id {event}"))
    process = await asyncio.create_subprocess_exec(
        *arguments, "--address", stack.temporal_address, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


async def ended(stack: Stack, deployment_id: str, attempts: int) -> dict[str, Any]:
    while True:
        found = await stack.deployment(deployment_id)
        if found["attempts"] >= attempts and found["state"] in ("succeeded", "failed"):
            return found
        await asyncio.sleep(0.1)


async def test_a_retry_is_a_new_deployment_of_the_same_release(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    app = await application(stack, "again-http", repository)
    first = await failed(stack, app, "late-http")
    assert first["reason"] == "image_not_found"
    mend(engine, repository, "late-http")

    retry = await stack.call("POST", f"/v1/deployments/{first['id']}/retry", params={"wait": 60})

    assert retry.status_code == 200
    assert retry.json()["retry_of"] == first["id"]
    assert (retry.json()["trigger"], retry.json()["reference"]) == ("retry", "late-http")
    assert retry.json()["sequence"] == first["sequence"] + 1


async def test_a_succeeded_deployment_cannot_be_retried(stack: Stack, repository: str) -> None:
    app = await application(stack, "again-done", repository)
    done = (await stack.deploy(app, "v1")).json()

    retry = await stack.call("POST", f"/v1/deployments/{done['id']}/retry")

    assert (retry.status_code, retry.json()["type"]) == (409, "urn:aweigh:problem:conflict")


async def test_a_reset_to_the_first_task_reopens_the_deployment(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    app = await application(stack, "again-first", repository)
    first = await failed(stack, app, "late-first")
    mend(engine, repository, "late-first")

    await temporal(stack, first["id"], "workflow reset", "FirstWorkflowTask")

    again = await ended(stack, first["id"], attempts=2)
    assert (again["state"], again["reason"], again["attempts"]) == ("succeeded", None, 2)


async def test_a_reset_to_the_failed_step_makes_sure_of_what_came_before(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    """The gate failed, and the undo removed the containers: a reset goes back to `create`."""
    app = await stack.create(
        "again-step",
        {"type": "image", "image": repository, "tag": "v1"},
        domains=[{"host": "again-step.localhost", "tls": False}],
        health_check={"type": "http", "path": "/status/500", "status": 200, "deadline": 2},
    )
    first = await failed(stack, app, "v1")
    assert first["reason"] == "unhealthy"
    number = await task_before(stack, first["id"], "health")

    shown = await temporal(stack, first["id"], "workflow show")
    assert re.search(rf"^ *{number} .*WorkflowTaskCompleted", shown, re.MULTILINE)
    await temporal(stack, first["id"], "workflow reset", "--event-id N", event=number)

    again = await ended(stack, first["id"], attempts=2)
    steps = {step["name"]: step for step in again["steps"]}
    assert (again["state"], again["reason"]) == ("failed", "unhealthy")
    assert steps["health"]["started_at"] > first["finished_at"]
    assert steps["create"]["started_at"] > first["finished_at"]
    assert steps["pull"]["started_at"] < first["finished_at"]
    assert named(engine, f"{stack.prefix}-again-step-") == []


async def test_a_reset_of_an_older_deployment_is_superseded_by_what_is_live(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    app = await application(stack, "again-older", repository)
    older = await failed(stack, app, "late-older")
    newer = (await stack.deploy(app, "v1")).json()
    mend(engine, repository, "late-older")

    await temporal(stack, older["id"], "workflow reset", "FirstWorkflowTask")

    again = await ended(stack, older["id"], attempts=2)
    assert (again["state"], again["reason"]) == ("failed", "superseded")
    live = (await stack.call("GET", f"/v1/applications/{app['id']}")).json()["live"]
    assert live["deployment"] == newer["id"]


async def test_a_waiting_step_begins_anew_when_it_is_reset(stack: Stack) -> None:
    source = {"type": "image", "image": f"127.0.0.1:{free_ports(1)[0]}/again", "tag": "v1"}
    app = await stack.create("again-waiting", source)
    waiting = (await stack.deploy(app, wait=0)).json()
    client = await stack.temporal()
    handle = client.get_workflow_handle(waiting["workflow"]["id"])

    async def attempts() -> int:
        pending = (await handle.describe()).raw_description.pending_activities
        return sum(one.attempt for one in pending if one.activity_id == "pull")

    async with asyncio.timeout(300):
        while (await stack.deployment(waiting["id"]))["state"] == "created":
            await asyncio.sleep(0.05)
        while await attempts() < 4:  # the next one is seconds away
            await asyncio.sleep(0.05)
        await temporal(stack, waiting["id"], "activity reset")
        while await attempts() not in (1, 2, 3):
            await asyncio.sleep(0.05)

    cancel = await stack.call("POST", f"/v1/deployments/{waiting['id']}/cancel")
    assert cancel.status_code == 202, cancel.text
    assert (await stack.deployment(waiting["id"], wait=600))["reason"] == "cancelled"


async def test_a_rollback_makes_the_older_image_live_again(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    app = await application(stack, "again-back", repository)
    older = (await stack.deploy(app, "v1")).json()
    mend(engine, repository, "v2")
    await stack.deploy(app, "v2")

    back = await stack.call("POST", f"/v1/deployments/{older['id']}/rollback", params={"wait": 60})

    assert (back.status_code, back.json()["trigger"]) == (200, "rollback")
    assert back.json()["image"]["id"] == older["image"]["id"]
    live = (await stack.call("GET", f"/v1/applications/{app['id']}")).json()
    assert (live["live"]["deployment"], live["source"]["tag"]) == (back.json()["id"], "v1")


async def test_a_database_restored_from_a_backup_counts_on_from_what_is_live(
    stack: Stack, repository: str
) -> None:
    app = await application(stack, "again-restored", repository)
    await stack.deploy(app, "v1")
    fence = stack.data / "server" / "fences" / f"{app['id']}.json"
    fence.write_text('{"highest": 40, "removed": false}')  # what the lost part of the database knew

    first = await failed(stack, app, "v1")

    assert first["reason"] == "superseded"
    newest = (await stack.call("GET", "/v1/deployments", params={"application": app["id"]})).json()
    again = await stack.deployment(newest["items"][0]["id"], wait=600)
    assert (again["sequence"], again["state"], again["retry_of"]) == (41, "succeeded", first["id"])
