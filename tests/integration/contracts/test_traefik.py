"""What a proxy makes of route files, by the same assertions on the real one and on its fake."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from aweigh.core.errors import ProxySilent
from aweigh.routing.route import DEAD, Generation, Routing, render
from aweigh.routing.traefik import Traefik, TraefikAnswer
from aweigh.testing.traefik import FakeTraefik
from tests.support.installation import settings_of
from tests.support.ports import free_ports
from tests.support.real_proxy import running_edge

HOST = "shop.example.com"
SETTINGS = settings_of(domains=[{"host": HOST, "tls": False}])


@dataclass
class Subject:
    traefik: Traefik
    routes: Path
    #: Where the application listens.
    port: int

    async def route(self, slug: str, sequence: int, port: int = 0) -> Generation:
        """The generation that is live, once the proxy knows it."""
        generation = Generation(
            instance="i", application="app_1", slug=slug, deployment=f"dep_{sequence}",
            sequence=sequence, image_id="", addresses=("127.0.0.1",), port=port or self.port,
        )  # fmt: skip
        new = self.routes.parent / f"{slug}.new"
        new.write_text(render(generation, SETTINGS, Routing(certificates=False)))
        new.rename(self.routes / f"{slug}.yml")
        await until(lambda: self.traefik.knows(generation))
        return generation

    async def unroute(self, generation: Generation) -> None:
        (self.routes / f"{generation.slug}.yml").unlink()
        await until(lambda: self._forgot(generation))

    async def _forgot(self, generation: Generation) -> bool:
        return not await self.traefik.knows(generation)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(300):
        while not await condition():
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module", params=["fake", "real"])
async def subject(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Subject]:
    directory = tmp_path_factory.mktemp(request.param)
    if request.param == "fake":
        (directory / "routes").mkdir()
        yield Subject(FakeTraefik(directory / "routes"), directory / "routes", 8000)
        return
    async with running_edge(directory, ("shop",)) as edge:
        yield Subject(edge.traefik, edge.plan.routes, edge.application_ports["shop"])


async def test_generation_without_a_route_is_not_known(subject: Subject) -> None:
    generation = await subject.route("gone", 1)
    await subject.unroute(generation)

    assert await subject.traefik.servers(generation) is None
    assert await subject.traefik.probe("gone", HOST, "/") == TraefikAnswer(404, None)


async def test_routed_generation_has_its_servers_and_answers(subject: Subject) -> None:
    generation = await subject.route("one", 7)

    assert await subject.traefik.servers(generation) == frozenset(generation.urls)
    assert await subject.traefik.probe("one", HOST, "/") == TraefikAnswer(200, 7)
    assert await subject.traefik.answers()


async def test_next_generation_takes_the_place_of_the_one_before(subject: Subject) -> None:
    before = await subject.route("two", 1)

    after = await subject.route("two", 2)

    assert not await subject.traefik.knows(before)
    assert await subject.traefik.servers(before) is None
    assert await subject.traefik.servers(after) == frozenset(after.urls)
    assert await subject.traefik.probe("two", HOST, "/") == TraefikAnswer(200, 2)


async def test_generation_whose_containers_are_dead_is_stamped_all_the_same(
    subject: Subject,
) -> None:
    [port] = free_ports(1)
    if isinstance(subject.traefik, FakeTraefik):
        subject.traefik.statuses["dead"] = 502
    await subject.route("dead", 3, port)

    answer = await subject.traefik.probe("dead", HOST, "/")

    assert answer
    assert (answer.status in DEAD, answer.generation) == (True, 3)


async def test_application_that_takes_too_long_is_told_from_a_silent_proxy(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aweigh.routing.traefik._APPLICATION_SECONDS", 0.2)
    over = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    if isinstance(subject.traefik, FakeTraefik):
        subject.traefik.slow.add("slow")
    async with await asyncio.start_server(hold, "127.0.0.1", 0) as listening:
        await subject.route("slow", 4, listening.sockets[0].getsockname()[1])

        assert await subject.traefik.probe("slow", HOST, "/") is None
        over.set()


async def test_open_connections_are_counted_by_address(subject: Subject) -> None:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    address, other = "127.0.0.77", "127.0.0.78"
    async with await asyncio.start_server(hold, address, 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        writers = [(await asyncio.open_connection(address, port))[1] for _ in range(2)]
        if isinstance(subject.traefik, FakeTraefik):
            subject.traefik.connections = Counter({address: 2})

        assert await subject.traefik.connections_to((address, other, address)) == 2
        assert await subject.traefik.connections_to((other,)) == 0
        assert await subject.traefik.connections_to(()) == 0
        for writer in writers:
            writer.close()


@pytest.mark.parametrize("kind", ["fake", "real"])
async def test_silent_proxy_proves_nothing(kind: str, tmp_path: Path) -> None:
    api, probe = free_ports(2)
    traefik = Traefik(api_port=api, probe_port=probe)
    if kind == "fake":
        await traefik.close()
        traefik = fake = FakeTraefik(tmp_path)
        fake.silent = True
    generation = Generation(
        instance="i", application="app_1", slug="shop", deployment="dep_1", sequence=1,
        image_id="", addresses=("127.0.0.1",), port=1,
    )  # fmt: skip

    assert not await traefik.answers()
    for call in (
        traefik.servers(generation), traefik.knows(generation), traefik.probe("shop", HOST, "/"),
    ):  # fmt: skip
        with pytest.raises(ProxySilent):
            await call
    await traefik.close()
