"""From outside, as CI and a browser see it: a hook becomes a live, routed, healthy application."""

from collections.abc import Iterator
from typing import Any

import docker
import pytest

from examples.demo.image import make_image
from tests.support.images import temporary_repository
from tests.support.outside import ask, named, story
from tests.support.stack import Stack

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        for tag in ("v1", "v2"):
            make_image(
                engine, repository=name, tag=tag, environment={"NAME": "launch", "VERSION": tag}
            )
        make_image(engine, repository=name, tag="broken", environment={"EXIT_CODE": "3"})
        yield name


@pytest.fixture(scope="module")
async def launched(stack: Stack, repository: str) -> dict[str, Any]:
    return await stack.create(
        "launch",
        {"type": "image", "image": repository, "tag": "v1"},
        domains=[{"host": "launch.localhost", "tls": False}],
        health_check={"type": "http", "path": "/healthz"},
    )


def containers(engine: docker.DockerClient, stack: Stack, slug: str) -> list[str]:
    found = named(engine, f"{stack.prefix}-{slug}-")
    return sorted(str(one.name).removeprefix(f"{stack.prefix}-") for one in found)


async def test_a_hook_makes_each_version_live_and_takes_the_old_one_away(
    engine: docker.DockerClient, stack: Stack, launched: dict[str, Any]
) -> None:
    first = await stack.deploy(launched, "v1")
    assert (first.status_code, first.json()["state"]) == (200, "succeeded")
    assert (await ask(stack, "launch.localhost")).text == "launch v1\n"

    second = await stack.deploy(launched, "v2")

    assert (second.status_code, second.json()["state"]) == (200, "succeeded")
    assert (await ask(stack, "launch.localhost")).text == "launch v2\n"
    assert containers(engine, stack, "launch") == [f"launch-{second.json()['sequence']}-0"]
    application = (await stack.call("GET", f"/v1/applications/{launched['id']}")).json()
    assert application["live"]["deployment"] == second.json()["id"]
    assert application["source"]["tag"] == "v2"


async def test_every_step_and_the_log_can_be_read(stack: Stack, launched: dict[str, Any]) -> None:
    deployment = (await stack.deploy(launched, "v1")).json()

    steps = (await stack.call("GET", f"/v1/deployments/{deployment['id']}/steps")).json()["items"]

    names = [step["name"] for step in steps]
    expected = ["preflight", "pull", "create", "health", "switch", "drain", "remove"]
    assert names[:7] == expected
    assert all(step["state"] == "succeeded" for step in steps[:7])
    assert "healthy: http" in await stack.log(deployment["id"])


async def test_a_repeated_call_with_the_same_key_is_the_same_deployment(
    stack: Stack, launched: dict[str, Any]
) -> None:
    first = await stack.deploy(launched, "v1", key="build-17")
    again = await stack.deploy(launched, "v1", key="build-17")

    assert again.json()["id"] == first.json()["id"]


async def test_a_container_that_exits_turns_ci_red_and_leaves_the_live_one_alone(
    engine: docker.DockerClient, stack: Stack, launched: dict[str, Any]
) -> None:
    live = (await stack.deploy(launched, "v2")).json()

    failed = await stack.deploy(launched, "broken")

    assert failed.status_code == 424
    deployment = failed.json()["deployment"]
    assert (deployment["state"], deployment["reason"]) == ("failed", "start_failed")
    assert "code 3" in deployment["message"]
    assert (await ask(stack, "launch.localhost")).text == "launch v2\n"
    assert containers(engine, stack, "launch") == [f"launch-{live['sequence']}-0"]
    application = (await stack.call("GET", f"/v1/applications/{launched['id']}")).json()
    assert application["source"]["tag"] == "v2"


async def test_removing_an_application_takes_everything_of_it_away(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    source = {"type": "image", "image": repository, "tag": "v1"}
    gone = await stack.create(
        "gone", source, domains=[{"host": "gone.localhost", "tls": False}], networks=["gone"],
        volumes=[{"source": "data", "target": "/data"}],
    )  # fmt: skip
    assert (await stack.deploy(gone)).status_code == 200

    answer = await stack.call("DELETE", f"/v1/applications/{gone['id']}?volumes=true")
    assert answer.status_code == 202
    await stack.until_gone(gone)

    assert containers(engine, stack, "gone") == []
    assert (await ask(stack, "gone.localhost")).status_code == 404
    assert engine.volumes.list(filters={"name": f"{stack.prefix}-gone_"}) == []
    assert engine.networks.list(names=[f"{stack.prefix}-gone"]) == []


async def test_removing_an_application_keeps_its_data_unless_asked(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    source = {"type": "image", "image": repository, "tag": "v1"}
    kept = await stack.create("kept", source, volumes=[{"source": "data", "target": "/data"}])
    assert (await stack.deploy(kept)).status_code == 200

    assert (await stack.call("DELETE", f"/v1/applications/{kept['id']}")).status_code == 202
    await stack.until_gone(kept)

    assert containers(engine, stack, "kept") == []
    [volume] = engine.volumes.list(filters={"name": f"{stack.prefix}-kept_"})
    assert volume.name == f"{stack.prefix}-kept_data"


async def test_temporals_page_of_a_deployment_tells_its_story(
    launched: dict[str, Any], stack: Stack
) -> None:
    deployment = (await stack.deploy(launched, "v2")).json()

    handle = (await stack.temporal()).get_workflow_handle(deployment["workflow"]["id"])
    await handle.result()
    described = await handle.describe()
    attributes = {pair.key.name: pair.value for pair in described.typed_search_attributes}
    assert await described.static_summary() == "launch@v2 → local"
    assert attributes["ApplicationName"] == "launch"
    assert attributes["ApplicationId"] == launched["id"]
    assert (attributes["ServerName"], attributes["DeploymentState"]) == ("local", "succeeded")
    assert attributes["Reference"] == deployment["image"]["reference"]
    shown = await story(stack, deployment)
    for told in ("preflight", "pull", "switch", "the proxy answers with generation", "succeeded"):
        assert told in shown
