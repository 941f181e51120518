"""What somebody takes away or breaks by hand on the server, and what crashes there."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import docker
import httpx2
import pytest
from docker.models.containers import Container

from examples.demo.image import make_image
from tests.support.images import temporary_repository
from tests.support.outside import ask, change, containers, failing, starts_and_ends, until
from tests.support.ports import free_ports
from tests.support.reconciling import reconcile
from tests.support.stack import Stack

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        for version in ("v1", "v2"):
            make_image(engine, repository=name, tag=version, environment={"VERSION": version})
        yield name


async def live(stack: Stack, name: str, repository: str, **more: Any) -> dict[str, Any]:
    source = {"type": "image", "image": repository, "tag": "v1"}
    domains = [{"host": f"{name}.localhost", "tls": False}]
    made = await stack.create(name, source, **({"domains": domains} | more))
    assert (await stack.deploy(made)).status_code == 200
    return made


def address(container: Container) -> str:
    """Its own on the bridge of the stack."""
    [network] = container.attrs["NetworkSettings"]["Networks"].values()
    return str(network["IPAMConfig"]["IPv4Address"])


async def answers(stack: Stack, name: str) -> bool:
    try:
        return (await ask(stack, f"{name}.localhost")).is_success
    except httpx2.HTTPError:
        return False


async def test_a_live_container_that_is_removed_or_stopped_runs_again_at_once(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    """Nobody asks the reconciler, which comes round every five minutes."""
    await live(stack, "hand-container", repository)
    [container] = containers(engine, stack.prefix, "hand-container")

    async def runs_again(other_than: Container) -> Container | None:
        found = containers(engine, stack.prefix, "hand-container")
        others = [one for one in found if one.id != other_than.id and one.status == "running"]
        return others[0] if others else None

    container.remove(force=True)
    again = await until(lambda: runs_again(container))
    await until(lambda: answers(stack, "hand-container"))
    again.stop(timeout=0)
    await until(lambda: answers(stack, "hand-container"))

    assert again.name == container.name
    assert address(again) == address(container)
    assert len(containers(engine, stack.prefix, "hand-container")) == 1


async def test_a_proxy_that_is_removed_runs_again_at_once(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    await live(stack, "hand-proxy", repository)

    engine.containers.get(f"{stack.prefix}-proxy").remove(force=True)

    await until(lambda: answers(stack, "hand-proxy"))


async def test_what_a_deployment_stops_is_left_to_it(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    """The engine tells that the live container ended: for the new one, and again after that."""
    gate = {"type": "http", "path": "/status/500", "status": 500, "deadline": 4}
    app = await live(stack, "hand-recreated", repository, strategy="recreate", health_check=gate)
    [before] = containers(engine, stack.prefix, "hand-recreated")
    began = time.time()
    await change(stack, app, health_check={**gate, "status": 200})
    failed = (await stack.deploy(app)).json()["deployment"]

    events = starts_and_ends(engine, app, began)
    told = [(event["Action"], event["id"] == before.id) for event in events]
    assert failed["reason"] == "unhealthy"
    assert told == [("die", True), ("start", False), ("die", False), ("start", True)]


async def test_a_route_that_is_removed_comes_back_with_the_next_reconciliation(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    await live(stack, "hand-file", repository)
    (stack.data / "server" / "routes" / "routed" / "hand-file.yml").unlink()

    async def is_gone() -> bool:
        return not await answers(stack, "hand-file")

    await until(is_gone)

    await reconcile(stack)

    await until(lambda: answers(stack, "hand-file"))
    assert len(containers(engine, stack.prefix, "hand-file")) == 1


async def test_one_bad_row_or_label_keeps_no_other_application_from_being_put_right(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    bad, bad_row = await live(stack, "aa-bad", repository), "no such state"
    app = await live(stack, "hand-lost", repository)
    [good] = containers(engine, stack.prefix, "hand-lost")
    odd = engine.containers.create(
        f"{repository}:v1", name=f"{stack.prefix}-aa-odd",
        labels={**good.labels, "aweigh.application": bad["id"], "aweigh.sequence": "x"},
    )  # fmt: skip
    fence = stack.data / "server" / "fences" / f"{bad['id']}.json"
    kept = fence.read_text()
    fence.write_text("[]")
    (stack.data / "server" / "routes" / "routed" / "hand-lost.yml").unlink()
    with closing(sqlite3.connect(stack.data / "aweigh.db", timeout=30)) as database:
        query = "UPDATE deployments SET state = ? WHERE application_id = ?"
        with database:
            database.execute(query, (bad_row, bad["id"]))
        try:
            await reconcile(stack)
            await until(lambda: answers(stack, "hand-lost"))
        finally:
            with database:
                database.execute(query, ("succeeded", bad["id"]))
            fence.write_text(kept)
            odd.remove(force=True)

    [now] = containers(engine, stack.prefix, "hand-lost")
    assert now.id == good.id
    assert await answers(stack, "aa-bad")
    assert (await stack.call("GET", f"/v1/applications/{app['id']}")).is_success


async def test_a_proxy_that_does_not_take_the_new_release_keeps_the_old_one(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    """A file beside ours that Traefik cannot read: it reloads nothing while that is there."""
    app = await live(stack, "hand-refused", repository)
    stray = stack.data / "server" / "routes" / "routed" / "somebodys.yml"
    stray.write_text("http: [}")
    try:
        failed = await failing(engine, stack, app, env={"ANY": "change"})
    finally:
        stray.unlink()

    assert failed["reason"] == "verify_failed"
    assert "its router is not enabled" in failed["message"]


async def test_a_replica_that_crashed_leaves_the_pool(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    await live(stack, "hand-crashed", repository, replicas=3, restart="no")
    route = stack.data / "server" / "routes" / "routed" / "hand-crashed.yml"
    crashed, *_ = containers(engine, stack.prefix, "hand-crashed")

    crashed.kill()

    async def is_out() -> bool:
        return route.read_text().count("url:") == 2

    await until(is_out)
    assert [await answers(stack, "hand-crashed") for _ in range(20)] == [True] * 20
    crashed.start()

    async def is_back() -> bool:
        return route.read_text().count("url:") == 3

    await until(is_back)


async def test_a_published_port_on_which_nothing_listens(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    """The engine's own forwarder takes every connection, so that the port itself proves nothing."""
    source = {"type": "image", "image": repository, "tag": "v1"}
    app = await stack.create(
        "hand-silent", source, ports=[{"host": free_ports(1)[0], "container": 9999}],
        health_check={"type": "uptime", "seconds": 1},
    )  # fmt: skip

    answer = await stack.deploy(app)

    failed = answer.json()["deployment"]
    assert failed["reason"] == "verify_failed"
    assert "Nothing listens on container port 9999" in failed["message"]
    assert containers(engine, stack.prefix, "hand-silent") == []
