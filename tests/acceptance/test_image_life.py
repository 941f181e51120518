"""The images of an application from registry to removal: pinned, followed, kept, given up."""

import asyncio
from typing import Any

import pytest

from examples.demo.image import PYTHON
from tests.support.checkpoint import gateway_of
from tests.support.faulty_proxy import Fault, faulty_proxy
from tests.support.outside import containers, progress_in_temporal, step, swept, until
from tests.support.ports import free_ports
from tests.support.reconciling import reconcile
from tests.support.registry import PASSWORD, USER
from tests.support.resetting import reset_to
from tests.support.world import LAYER, World

pytestmark = pytest.mark.docker


async def test_good_credentials_deploy_an_image_pinned_by_its_digest(world: World) -> None:
    registry = {"username": USER, "password": PASSWORD}
    digest = world.push("private", "v1")
    source = {"type": "image", "image": f"{world.locked.host}/private", "tag": "v1"}
    app = await world.stack.create("private", source | {"registry": registry})

    deployed = (await world.stack.deploy(app)).json()

    assert deployed["state"] == "succeeded"
    assert deployed["image"]["digest"] == digest
    [container] = containers(world.engine, world.stack.prefix, "private")
    assert container.attrs["Image"] == deployed["image"]["id"]
    assert container.image is not None
    assert f"{world.locked.host}/private@{digest}" in container.image.attrs["RepoDigests"]


async def test_the_digest_is_that_of_the_deployed_repository_and_a_rollback_pulls_by_it(
    world: World,
) -> None:
    """The same image stands in two repositories, by manifests of their own."""
    engine, mine = world.engine, f"{world.open.host}/mine"
    elsewhere = world.push("elsewhere", "v1")
    digest = world.open.copy("elsewhere", "v1", "mine")
    world.push("mine", "v2")
    for repository in (f"{world.open.host}/elsewhere", mine):
        engine.images.pull(repository, tag="v1")
    app = await world.stack.create("mine", {"type": "image", "image": mine})

    first = (await world.stack.deploy(app, f"v1@{digest}")).json()
    await world.stack.deploy(app, "v2")
    engine.images.remove(first["image"]["id"], force=True)
    back = await world.stack.call(
        "POST", f"/v1/deployments/{first['id']}/rollback", params={"wait": 300}
    )

    assert digest != elsewhere
    assert first["reference"] == f"v1@{digest}"
    assert first["image"]["reference"] == f"{mine}:v1@{digest}"
    assert first["image"]["digest"] == digest
    assert back.status_code == 200, back.text
    assert back.json()["image"] == first["image"]
    settings = await world.stack.call("GET", f"/v1/applications/{app['id']}")
    assert settings.json()["source"]["tag"] == f"v1@{digest}"


async def test_an_image_that_a_reset_finds_gone_is_pulled_again_by_the_step_for_it(
    world: World,
) -> None:
    """The gate's own attempt is not for pulling: the order goes back, and shows it."""
    stack, digest = world.stack, world.push("vanished", "v1")
    app = await stack.create(
        "vanished", {"type": "image", "image": f"{world.open.host}/vanished", "tag": "v1"},
        port=8000, health_check={"type": "http", "path": "/status/500", "deadline": 1},
    )  # fmt: skip
    failed = (await stack.deploy(app)).json()["deployment"]
    assert failed["reason"] == "unhealthy", failed
    world.engine.images.remove(failed["image"]["id"], force=True)

    await reset_to(stack, failed["id"], "health")

    async def ended_again() -> dict[str, Any] | None:
        found = await stack.deployment(failed["id"])
        return found if found["attempts"] > 1 and found["state"] == "failed" else None

    again = await until(ended_again)
    history = await (await stack.temporal()).get_workflow_handle(
        again["workflow"]["id"]
    ).fetch_history()  # fmt: skip
    scheduled = [
        event.activity_task_scheduled_event_attributes.activity_id for event in history.events
    ]
    assert (again["reason"], again["image"]["digest"]) == ("unhealthy", digest)
    assert [one for one in scheduled if one.startswith(("pull", "create", "health"))] == [
        "pull", "create", "health", "pull-2", "create-2", "health-2",
    ]  # fmt: skip


@pytest.mark.long
async def test_a_moving_tag_moves_only_when_it_is_asked_for(world: World) -> None:
    first = world.push("moving", "edge")
    app = await world.stack.create(
        "moving", {"type": "image", "image": f"{world.open.host}/moving", "tag": "edge"}
    )
    before = (await world.stack.deploy(app)).json()["image"]
    second = world.push("moving", "edge")

    redeployed = (await world.stack.deploy(app)).json()["image"]
    asked_for = (await world.stack.deploy(app, "edge")).json()["image"]

    assert before["digest"] == redeployed["digest"] == first
    assert before["id"] == redeployed["id"]
    assert asked_for["digest"] == second
    [container] = containers(world.engine, world.stack.prefix, "moving")
    assert container.attrs["Image"] == asked_for["id"]


@pytest.mark.long
async def test_pull_always_asks_the_registry_at_each_deployment(world: World) -> None:
    world.push("always", "latest")
    source = {"type": "image", "image": f"{world.open.host}/always", "pull": "always"}
    app = await world.stack.create("always", source)
    await world.stack.deploy(app)
    newer = world.push("always", "latest")

    redeployed = await world.stack.deploy(app)

    assert redeployed.json()["image"]["digest"] == newer


@pytest.mark.long
async def test_a_retry_needs_no_registry_for_an_image_that_is_there(world: World) -> None:
    gateway = gateway_of(world.engine, world.stack.prefix)
    [port] = free_ports(1)
    proxy = world.faulty[Fault.NONE]
    world.push("retried", "v1")
    reach = f"import socket; socket.create_connection(('{gateway}', {port}), 5)"
    app = await world.stack.create(
        "retried",
        {"type": "image", "image": f"{proxy.host}/retried", "tag": "v1"},
        release_command=["-c", reach],
        entrypoint=[PYTHON],
        command=["/app/application.py"],
    )
    failed = (await world.stack.deploy(app)).json()["deployment"]
    assert failed["reason"] == "release_command_failed"
    world.open.delete("retried", "v1")
    asked = len(proxy.requests)

    async with await asyncio.start_server(lambda _, writer: writer.close(), gateway, port):
        retry = await world.stack.call(
            "POST", f"/v1/deployments/{failed['id']}/retry", params={"wait": 60}
        )

    assert retry.status_code == 200, retry.text
    assert retry.json()["image"] == failed["image"]
    assert proxy.requests[asked:] == []


async def test_a_pull_shows_layers_and_bytes_while_it_runs(world: World) -> None:
    proxy = world.faulty[Fault.SLOW_BLOB]
    world.push("slow", "v1", layer_bytes=4 * LAYER)
    source = {"type": "image", "image": f"{proxy.host}/slow", "tag": "v1"}
    app = await world.stack.create("slow", source)
    deployment = (await world.stack.deploy(app, wait=0)).json()

    detail = await until(lambda: pulling(world, deployment["id"]))

    async def temporal_shows_it() -> bool:
        return "1 of 2 layers, " in await progress_in_temporal(world.stack, deployment)

    await until(temporal_shows_it)
    proxy.hurry.set()
    ended = await world.stack.deployment(deployment["id"], wait=600)

    assert "1 of 2 layers, " in detail
    assert ended["state"] == "succeeded"
    assert "2 of 2 layers, 8.0 MB" in (await step(world.stack, deployment["id"], "pull"))["detail"]
    log = await world.stack.log(deployment["id"])
    assert f"pull {proxy.host}/slow:v1: {detail}" in log
    assert f"pull {proxy.host}/slow:v1: 2 of 2 layers, 8.0 MB" in log


async def pulling(world: World, deployment_id: str) -> str:
    """How far a pull is, once something has come."""
    detail = str((await step(world.stack, deployment_id, "pull")).get("detail", ""))
    return "" if "0.0 MB" in detail else detail


async def test_cancelling_a_pull_ends_it_on_the_engine_too(world: World) -> None:
    with faulty_proxy(world.open, Fault.SLOW_BLOB) as proxy:
        world.push("cancelled", "v1", layer_bytes=4 * LAYER)
        source = {"type": "image", "image": f"{proxy.host}/cancelled", "tag": "v1"}
        app = await world.stack.create("cancelled", source)
        deployment = (await world.stack.deploy(app, wait=0)).json()
        await until(lambda: pulling(world, deployment["id"]))

        await world.stack.call("POST", f"/v1/deployments/{deployment['id']}/cancel")
        ended = await world.stack.deployment(deployment["id"], wait=600)

        assert (ended["state"], ended["reason"]) == ("failed", "cancelled")
        assert await asyncio.to_thread(proxy.abandoned.wait, 10)
        assert all(proxy.host not in str(one) for one in world.engine.api.images())


async def test_the_images_of_the_last_releases_stay_and_those_that_were_there_before(
    world: World,
) -> None:
    """Of the older ones, those that somebody else pulled: by a tag, or elsewhere by a digest."""
    engine, kept = world.engine, 5  # the default of AWEIGH_KEEP_RELEASES
    repository, elsewhere = f"{world.open.host}/many", f"{world.faulty[Fault.NONE].host}/many"
    tags = ["tagged", "digest", *(f"v{number}" for number in range(kept + 1))]
    digests = {tag: world.push("many", tag) for tag in tags}
    engine.images.pull(repository, tag="tagged")
    engine.images.pull(f"{elsewhere}@{digests['digest']}")
    source = {"type": "image", "image": repository, "tag": "tagged"}
    app = await world.stack.create("many", source)

    deployed = {tag: (await world.stack.deploy(app, tag)).json() for tag in tags}
    await swept(world.stack, deployed[tags[-1]]["id"])

    left = {image["Id"]: image for image in engine.api.images(all=True)}
    there = [tag for tag in tags if deployed[tag]["image"]["id"] in left]
    assert there == ["tagged", "digest", *tags[-kept:]]
    assert marked(world) & set(digests.values()) == {digests[tag] for tag in tags[-kept:]}
    assert left[deployed["tagged"]["image"]["id"]]["RepoTags"] == [f"{repository}:tagged"]
    by_digest = left[deployed["digest"]["image"]["id"]]
    assert f"{elsewhere}@{digests['digest']}" in by_digest["RepoDigests"]


async def test_a_deleted_deployment_takes_its_image_along_unless_another_needs_it(
    world: World,
) -> None:
    stack, tags = world.stack, ("v1", "v2", "v3")
    digests = {tag: world.push("deleted", tag) for tag in tags}
    source = {"type": "image", "image": f"{world.open.host}/deleted", "tag": "v1"}
    app = await stack.create("deleted", source)
    first, again, *_, live = [(await stack.deploy(app, tag)).json() for tag in ("v1", *tags)]
    await swept(stack, live["id"])
    mine = set(digests.values())

    refused = await stack.call("DELETE", f"/v1/deployments/{live['id']}")
    assert refused.status_code == 409, refused.text
    assert (await stack.call("DELETE", f"/v1/deployments/{first['id']}")).status_code == 204
    await reconcile(stack)
    assert marked(world) & mine == mine

    assert (await stack.call("DELETE", f"/v1/deployments/{again['id']}")).status_code == 204

    async def removed() -> bool:
        await reconcile(stack)
        return marked(world) & mine == mine - {digests["v1"]}

    await until(removed)
    left = {image["Id"] for image in world.engine.api.images(all=True)}
    assert first["image"]["id"] not in left
    assert live["image"]["id"] in left


def marked(world: World) -> set[str]:
    """The digests of the images that the stack knows it may remove again."""
    repository = f"{world.stack.prefix}-pulled/image"
    return {
        f"sha256:{tag.rpartition(':')[2]}"
        for image in world.engine.images.list(name=repository)
        for tag in image.tags
        if tag.startswith(repository)
    }
