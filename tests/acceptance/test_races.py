"""Moments in which something would slip through, were it not for the lock, the fence or a look."""

import asyncio
from collections.abc import Iterator
from typing import Any

import docker
import httpx2
import pytest

from examples.demo.image import make_image
from tests.support.images import temporary_repository
from tests.support.outside import named
from tests.support.stack import Stack

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        make_image(engine, repository=name, tag="v1", environment={"VERSION": "v1"})
        slow = {"VERSION": "slow", "BOOT_SECONDS": "4"}
        make_image(engine, repository=name, tag="slow", environment=slow)
        make_image(engine, repository=name, tag="broken", environment={"EXIT_CODE": "1"})
        yield name


async def application(stack: Stack, name: str, repository: str, **more: Any) -> dict[str, Any]:
    settings = {"domains": [{"host": f"{name}.localhost", "tls": False}]} | more
    return await stack.create(name, {"type": "image", "image": repository, "tag": "v1"}, **settings)


async def step_runs(stack: Stack, deployment_id: str, step: str) -> None:
    """Wait until a step of a deployment runs."""
    async with asyncio.timeout(300):
        while True:
            found = await stack.deployment(deployment_id)
            if any(one["name"] == step and one["state"] == "running" for one in found["steps"]):
                return
            assert found["state"] in ("created", "started"), found
            await asyncio.sleep(0.02)


def names(engine: docker.DockerClient, stack: Stack, slug: str) -> list[str]:
    found = named(engine, f"{stack.prefix}-{slug}-")
    return [str(one.name).removeprefix(f"{stack.prefix}-{slug}-") for one in found]


@pytest.mark.parametrize("step", ["create", "health"])
async def test_cancelled_means_gone(
    engine: docker.DockerClient, stack: Stack, repository: str, step: str
) -> None:
    app = await application(stack, f"cancel-{step}", repository)
    live = (await stack.deploy(app, "v1")).json()
    deployment = (await stack.deploy(app, "slow", wait=0)).json()
    await step_runs(stack, deployment["id"], step)

    await stack.call("POST", f"/v1/deployments/{deployment['id']}/cancel")
    end = await stack.deployment(deployment["id"], wait=600)

    assert (end["state"], end["reason"]) == ("failed", "cancelled")
    assert names(engine, stack, f"cancel-{step}") == [f"{live['sequence']}-0"]
    shown = (await stack.call("GET", f"/v1/applications/{app['id']}")).json()
    assert (shown["live"]["deployment"], shown["source"]["tag"]) == (live["id"], "v1")


async def test_a_reset_of_an_older_deployment_does_not_overtake_one_in_its_gate(
    stack: Stack, repository: str
) -> None:
    app = await application(stack, "overtaken", repository)
    older = (await stack.deploy(app, "broken")).json()["deployment"]
    newer = (await stack.deploy(app, "slow", wait=0)).json()
    await step_runs(stack, newer["id"], "health")

    await reset(stack, older["id"])

    end = await stack.deployment(newer["id"], wait=600)
    again = await stack.deployment(older["id"], wait=600)
    assert end["state"] == "succeeded"
    assert (again["attempts"], again["reason"]) == (2, "superseded")


async def reset(stack: Stack, deployment_id: str) -> None:
    """What *Reset* in Temporal's UI does, to the first task."""
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

    client, workflow = await stack.temporal(), await stack.workflow_of(deployment_id)
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow),
            reason="a mistake",
            workflow_task_finish_event_id=4,
            request_id=deployment_id,
        )
    )


async def test_a_domain_with_tls_answers_there_and_redirects_from_plain_http(
    stack: Stack, repository: str
) -> None:
    app = await application(stack, "secure", repository, domains=[{"host": "secure.localhost"}])
    assert (await stack.deploy(app)).status_code == 200
    secure_port = stack.environment["AWEIGH_WEB_SECURE_PORT"]

    async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
        plain = await client.get(
            f"http://127.0.0.1:{stack.web_port}/x", headers={"Host": "secure.localhost"}
        )
        secure = await client.get(
            f"https://127.0.0.1:{secure_port}/", headers={"Host": "secure.localhost"}
        )

    assert plain.status_code == 308 or plain.status_code == 301
    assert plain.headers["location"] == f"https://secure.localhost:{secure_port}/x"
    assert secure.text == "demo v1\n"


async def test_with_several_replicas_all_of_them_answer(stack: Stack, repository: str) -> None:
    app = await application(
        stack, "triplets", repository, replicas=3, health_check={"type": "http", "path": "/healthz"}
    )

    assert (await stack.deploy(app)).status_code == 200

    text = (stack.data / "server" / "routes" / "routed" / "triplets.yml").read_text()
    assert text.count("url: http://") == 3
