"""Asking a container from outside whether it is healthy."""

from collections.abc import AsyncIterator

import pytest

from aweigh.deployments.application import HealthCheck
from aweigh.health.probe import Probe
from tests.support.http import said, serving
from tests.support.ports import free_ports

UP = HealthCheck(type="http", path="/up")


@pytest.fixture
async def probe() -> AsyncIterator[Probe]:
    made = Probe()
    yield made
    await made.close()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (204, True), (404, False)])
async def test_a_status_tells_whether_it_is_healthy(
    probe: Probe, status: int, healthy: bool
) -> None:
    async with serving(lambda _: said(status)) as server:
        seen = await probe.http("127.0.0.1", server.port, "shop.example.com", UP)

    assert seen.healthy is healthy
    assert seen.what == f"GET http://127.0.0.1:{server.port}/up was answered {status}"


async def test_the_question_is_for_the_applications_own_host(probe: Probe) -> None:
    async with serving(lambda _: said(200)) as server:
        await probe.http("127.0.0.1", server.port, "shop.example.com", UP)

    (head,) = server.heads
    assert head.startswith("GET /up HTTP/1.1\r\n")
    assert "host: shop.example.com\r\n" in head.lower()


async def test_a_redirect_is_an_answer_and_is_not_followed(probe: Probe) -> None:
    async with serving(lambda _: said(302, Location="http://127.0.0.1:1/")) as server:
        seen = await probe.http("127.0.0.1", server.port, "a.b", UP)

    assert seen.healthy
    assert len(server.heads) == 1


async def test_an_answer_is_not_read_to_its_end(probe: Probe) -> None:
    endless = said(200, **{"Content-Length": "1000000000"}) + b"x" * 1000
    async with serving(lambda _: endless) as server:
        assert (await probe.http("127.0.0.1", server.port, "a.b", UP)).healthy


@pytest.mark.parametrize("path", ["/a;b=c,d", "/~user/@x", "/$&()*+!"])
async def test_a_path_is_asked_for_as_it_was_set(probe: Probe, path: str) -> None:
    check = HealthCheck(type="http", path=path)
    async with serving(lambda _: said(200)) as server:
        await probe.http("127.0.0.1", server.port, "a.b", check)

    assert server.heads[0].startswith(f"GET {path} HTTP/1.1\r\n")


async def test_what_is_no_answer_is_told(probe: Probe) -> None:
    async with serving(lambda _: b"SSH-2.0-x\r\n\r\n") as server:
        seen = await probe.http("127.0.0.1", server.port, "a.b", UP)

    assert not seen.healthy
    assert seen.what.startswith(f"GET http://127.0.0.1:{server.port}/up got no answer: ")


async def test_a_port_where_nobody_listens_is_not_healthy(probe: Probe) -> None:
    (port,) = free_ports(1)

    seen = [
        await probe.http("127.0.0.1", port, "a.b", UP),
        await probe.tcp("127.0.0.1", port),
    ]

    assert [one.healthy for one in seen] == [False, False]
    assert seen[1].what.startswith(f"connecting to 127.0.0.1:{port} failed: ")


async def test_a_port_that_accepts_connections_is_healthy(probe: Probe) -> None:
    async with serving(lambda _: b"") as server:
        seen = await probe.tcp("127.0.0.1", server.port)

    assert (seen.healthy, seen.what) == (True, f"127.0.0.1:{server.port} accepts connections")
