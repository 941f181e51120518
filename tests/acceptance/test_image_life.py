"""The images of an application from registry to removal: pinned, followed, kept, given up."""

import asyncio

import pytest

from cli.demo.image import PYTHON
from tests.support.faulty_proxy import Fault, faulty_proxy
from tests.support.outside import containers, step, swept, until
from tests.support.registry import PASSWORD, USER
from tests.support.stack import free_ports
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
    assert f"{world.locked.host}/private@{digest}" in container.image.attrs["RepoDigests"]


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


async def test_pull_always_asks_the_registry_at_each_deployment(world: World) -> None:
    world.push("always", "latest")
    source = {"type": "image", "image": f"{world.open.host}/always", "pull": "always"}
    app = await world.stack.create("always", source)
    await world.stack.deploy(app)
    newer = world.push("always", "latest")

    redeployed = await world.stack.deploy(app)

    assert redeployed.json()["image"]["digest"] == newer


async def test_a_retry_needs_no_registry_for_an_image_that_is_there(world: World) -> None:
    gateway = world.engine.networks.get(world.stack.prefix).attrs["IPAM"]["Config"][0]["Gateway"]
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
    world.push("slow", "v1", layer_bytes=LAYER)
    source = {"type": "image", "image": f"{proxy.host}/slow", "tag": "v1"}
    app = await world.stack.create("slow", source)
    deployment = (await world.stack.deploy(app, wait=0)).json()

    detail = await until(lambda: pulling(world, deployment["id"]))
    proxy.hurry.set()
    ended = await world.stack.deployment(deployment["id"], wait=60)

    assert "1 of 2 layers, " in detail
    assert ended["state"] == "succeeded"
    assert "2 of 2 layers, 2.0 MB" in (await step(world.stack, deployment["id"], "pull"))["detail"]
    log = await world.stack.log(deployment["id"])
    assert f"pull {proxy.host}/slow:v1: {detail}" in log
    assert f"pull {proxy.host}/slow:v1: 2 of 2 layers, 2.0 MB" in log


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
        ended = await world.stack.deployment(deployment["id"], wait=30)

        assert (ended["state"], ended["reason"]) == ("failed", "cancelled")
        assert await asyncio.to_thread(proxy.abandoned.wait, 10)
        assert all(proxy.host not in str(one.attrs) for one in world.engine.images.list())


async def test_only_the_images_of_the_last_releases_stay(world: World) -> None:
    kept = 5  # the default of AWEIGH_KEEP_RELEASES
    digests = [world.push("many", f"v{number}") for number in range(kept + 3)]
    app = await world.stack.create(
        "many", {"type": "image", "image": f"{world.open.host}/many", "tag": "v0"}
    )
    deployed = [
        (await world.stack.deploy(app, f"v{number}")).json() for number in range(len(digests))
    ]
    await swept(world.stack, deployed[-1]["id"])

    there = {
        digest.partition("@")[2]
        for image in world.engine.images.list()
        for digest in image.attrs["RepoDigests"]
        if digest.startswith(f"{world.open.host}/many@")
    }
    ids = {image.id for image in world.engine.images.list(all=True)}
    assert there == set(digests[-kept:])
    assert [one["image"]["id"] in ids for one in deployed] == [False] * 3 + [True] * kept
    assert marks(world) & {digest.partition(":")[2] for digest in digests[:3]} == set()


def marks(world: World) -> set[str]:
    repository = f"{world.stack.prefix}-pulled/image"
    return {
        tag.rpartition(":")[2]
        for image in world.engine.images.list(name=repository)
        for tag in image.tags
        if tag.startswith(repository)
    }


async def test_an_image_that_was_there_before_is_never_removed(world: World) -> None:
    """Neither one known by a tag, nor one known by another registry's digest only."""
    for tag in ("tagged", "by-digest"):
        world.push("theirs", tag)
    world.engine.images.pull(f"{world.open.host}/theirs", tag="tagged")
    elsewhere = world.faulty[Fault.NONE].host
    digest = world.push("theirs", "digest")
    world.engine.images.pull(f"{elsewhere}/theirs@{digest}")
    app = await world.stack.create(
        "theirs", {"type": "image", "image": f"{world.open.host}/theirs", "tag": "tagged"}
    )
    theirs = [(await world.stack.deploy(app, tag)).json() for tag in ("tagged", "digest")]
    for number in range(6):
        world.push("theirs", f"v{number}")
        last = (await world.stack.deploy(app, f"v{number}")).json()
    await swept(world.stack, last["id"])

    assert [one["state"] for one in theirs] == ["succeeded", "succeeded"]
    tagged, by_digest = (world.engine.images.get(one["image"]["id"]) for one in theirs)
    assert tagged.tags == [f"{world.open.host}/theirs:tagged"]
    assert f"{elsewhere}/theirs@{digest}" in by_digest.attrs["RepoDigests"]
