"""What somebody takes away or breaks by hand on the server, and what crashes there."""

from collections.abc import Iterator
from typing import Any

import docker
import httpx2
import pytest

from cli.demo.image import make_image
from tests.support.images import temporary_repository
from tests.support.outside import ask, containers, failing, until
from tests.support.reconciling import reconcile
from tests.support.stack import Stack, free_ports

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


async def answers(stack: Stack, name: str) -> bool:
    try:
        return (await ask(stack, f"{name}.localhost")).is_success
    except httpx2.HTTPError:
        return False


@pytest.mark.parametrize("what", ["container", "file", "proxy"])
async def test_what_is_live_comes_back(
    engine: docker.DockerClient, stack: Stack, repository: str, what: str
) -> None:
    name = f"hand-{what}"
    await live(stack, name, repository)
    if what == "container":
        [container] = containers(engine, stack.prefix, name)
        container.remove(force=True)
    elif what == "file":
        (stack.data / "server" / "routes" / "routed" / f"{name}.yml").unlink()
    else:
        engine.containers.get(f"{stack.prefix}-proxy").remove(force=True)

    async def is_gone() -> bool:
        return not await answers(stack, name)

    await until(is_gone)

    await reconcile(stack)

    await until(lambda: answers(stack, name))
    assert len(containers(engine, stack.prefix, name)) == 1


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
    assert "Nothing listens on port 9999" in failed["message"]
    assert containers(engine, stack.prefix, "hand-silent") == []
