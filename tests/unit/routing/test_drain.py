"""Draining: containers leave service when nobody is connected to them any more."""

import asyncio

import pytest

from aweigh.engine.container import Container
from aweigh.routing.route_files import RouteFile
from tests.support.fake_parts import FakeParts


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aweigh.routing.drain._GUARD_SECONDS", 0)


@pytest.fixture
async def containers(parts: FakeParts) -> list[Container]:
    return await parts.created(parts.routed(1, replicas=2))


def connect(parts: FakeParts, container: Container, count: int) -> None:
    assert parts.traefik.connections is not None
    address = parts.installation.names.own_address(container.addresses)
    parts.traefik.connections[address] = count


async def test_drain_lasts_until_the_last_connection_is_closed(
    parts: FakeParts, containers: list[Container]
) -> None:
    connect(parts, containers[0], 2)
    connect(parts, containers[1], 1)
    draining = asyncio.create_task(parts.drain.until_idle(containers, longest=3600))

    for number, one in enumerate(containers, start=1):
        counted = parts.traefik.counted
        while parts.traefik.counted < counted + 2:
            await asyncio.sleep(0)
        assert not draining.done(), number
        assert not await parts.drain.are_idle(containers)
        connect(parts, one, 0)

    assert (await draining).startswith("drained in ")
    assert await parts.drain.are_idle(containers)


async def test_drain_ends_with_its_time_and_says_what_is_cut(
    parts: FakeParts, containers: list[Container]
) -> None:
    connect(parts, containers[1], 3)

    assert await parts.drain.until_idle(containers, longest=0) == "3 connections cut"


async def test_connections_that_cannot_be_counted_are_not_taken_for_none(
    parts: FakeParts, containers: list[Container]
) -> None:
    parts.traefik.connections = None

    said = await parts.drain.until_idle(containers, longest=0)

    assert said == "an unknown number of connections cut"
    assert not await parts.drain.are_idle(containers)


async def test_containers_that_do_not_run_are_not_waited_for(
    parts: FakeParts, containers: list[Container]
) -> None:
    connect(parts, containers[0], 3)
    for one in containers:
        await parts.engine.stop(one.name)
    stopped = await parts.engine.containers({})

    assert await parts.drain.until_idle(stopped, longest=3600) == "nothing to drain"


@pytest.fixture
async def switched(parts: FakeParts) -> RouteFile:
    """The file of a second release, which can still be taken back."""
    await parts.made_live(parts.routed(1))
    return await parts.made_live(parts.routed(2), verified=False)


async def test_switch_is_taken_back_once_the_proxy_follows(
    parts: FakeParts, switched: RouteFile
) -> None:
    parts.traefik.stop_following()
    going_back = asyncio.create_task(parts.drain.take_back(switched))
    while parts.live_sequence == 2:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0)
    assert not going_back.done()

    parts.traefik.follow_again()
    before = await going_back

    assert before
    assert (before.sequence, parts.live_sequence) == (1, 1)
    assert not await parts.traefik.knows(switched.generation)


async def test_silent_proxy_is_not_waited_for(parts: FakeParts, switched: RouteFile) -> None:
    parts.traefik.silent = True

    await parts.drain.take_back(switched)

    assert parts.live_sequence == 1


async def test_proxy_that_never_follows_is_given_up(
    parts: FakeParts, switched: RouteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aweigh.routing.drain._UNROUTE_SECONDS", 0.01)
    parts.traefik.stop_following()

    await parts.drain.take_back(switched)

    assert parts.live_sequence == 1
    assert await parts.traefik.knows(switched.generation)
