"""What a probe sees, by the same assertions on the real one and on its fake."""

from collections.abc import AsyncIterator

import pytest

from aweigh.deployments.application import HealthCheck
from aweigh.health.probe import Probe
from aweigh.testing.probe import FakeProbe
from tests.support.http import said, serving
from tests.support.ports import free_ports

UP = HealthCheck(type="http", path="/up")
ADDRESS = "127.0.0.1"


@pytest.fixture(params=[FakeProbe, Probe], ids=["fake", "real"])
async def probe(request: pytest.FixtureRequest) -> AsyncIterator[Probe]:
    made: Probe = request.param()
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("check", "status", "healthy"),
    [
        (UP, 200, True), (UP, 302, True), (UP, 404, False), (UP, 503, False),
        (UP.model_copy(update={"status": 404}), 404, True),
    ],
)  # fmt: skip
async def test_listener_is_healthy_by_what_it_answers(
    probe: Probe, check: HealthCheck, status: int, healthy: bool
) -> None:
    async with serving(lambda _: said(status)) as server:
        if isinstance(probe, FakeProbe):
            probe.listening[ADDRESS, server.port] = status

        answered = await probe.http(ADDRESS, server.port, "shop.example.com", check)
        connected = await probe.tcp(ADDRESS, server.port)

    assert answered.healthy is healthy
    assert answered.what == f"GET http://{ADDRESS}:{server.port}/up was answered {status}"
    assert connected.healthy
    assert connected.what == f"{ADDRESS}:{server.port} accepts connections"


async def test_port_without_a_listener_is_not_healthy(probe: Probe) -> None:
    [port] = free_ports(1)

    answered = await probe.http(ADDRESS, port, "shop.example.com", UP)
    connected = await probe.tcp(ADDRESS, port)

    assert (answered.healthy, connected.healthy) == (False, False)
    assert answered.what.startswith(f"GET http://{ADDRESS}:{port}/up got no answer: ")
    assert connected.what == f"connecting to {ADDRESS}:{port} failed: Connection refused"
