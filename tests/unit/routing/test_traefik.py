"""What the running proxy says of itself, and how it answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aweigh.core.errors import ProxySilent
from aweigh.routing.route import Generation
from aweigh.routing.traefik import Traefik, TraefikAnswer
from tests.support.http import said, serving
from tests.support.ports import free_ports

GENERATION = Generation(
    instance="i", application="app_1", slug="shop", deployment="dep_1", sequence=7,
    image_id="sha256:1", addresses=("10.201.1.0",), port=8000,
)  # fmt: skip
ROUTER = "/api/http/routers/shop_7_probe@file"
SERVICE = "/api/http/services/shop_7@file"
ENABLED = {"status": "enabled"}


def telling(things: Mapping[str, Any]) -> Any:
    def answer(head: str) -> bytes:
        path = head.split()[1]
        return said(200, json.dumps(things[path])) if path in things else said(404, "{}")

    return answer


@pytest.mark.parametrize(
    ("things", "pool"),
    [
        ({}, None),
        ({ROUTER: ENABLED}, None),
        ({SERVICE: {"loadBalancer": {"servers": [{"url": "http://a:1"}]}}}, None),
        ({ROUTER: {"status": "disabled"},
          SERVICE: {"loadBalancer": {"servers": [{"url": "http://a:1"}]}}}, None),
        ({ROUTER: ENABLED, SERVICE: {}}, frozenset()),
        ({ROUTER: ENABLED, SERVICE: {"loadBalancer": {"servers": None}}}, frozenset()),
        ({ROUTER: ENABLED,
          SERVICE: {"loadBalancer": {"servers": [{"url": "http://a:1"}, {"url": "http://b:1"}]}}},
         frozenset({"http://a:1", "http://b:1"})),
    ],
    ids=range(7),
)  # fmt: skip
async def test_the_pool_is_what_an_enabled_router_leads_to(
    things: Mapping[str, Any], pool: frozenset[str] | None
) -> None:
    async with serving(telling(things)) as server:
        traefik = Traefik(api_port=server.port, probe_port=1)

        assert await traefik.servers(GENERATION) == pool
        await traefik.close()


@pytest.mark.parametrize(
    ("stamp", "generation"), [({}, None), ({"X-Aweigh-Generation": "7"}, 7),
                              ({"X-Aweigh-Generation": "x"}, None)],
    ids=range(3),
)  # fmt: skip
async def test_an_answer_bears_the_stamp_of_who_answered(
    stamp: dict[str, str], generation: int | None
) -> None:
    async with serving(lambda _: said(404, **stamp)) as server:
        traefik = Traefik(api_port=1, probe_port=server.port)

        answer = await traefik.probe("shop", "shop.example.com", "/up")
        await traefik.close()

    assert answer == TraefikAnswer(404, generation)
    (head,) = server.heads
    assert head.startswith("GET /up HTTP/1.1\r\n")
    assert "host: shop.example.com\r\n" in head.lower()
    assert "x-aweigh-probe: shop\r\n" in head.lower()


async def test_a_silent_proxy_proves_nothing() -> None:
    api, probe = free_ports(2)
    traefik = Traefik(api_port=api, probe_port=probe)

    assert not await traefik.answers()
    for call in (
        traefik.servers(GENERATION), traefik.knows(GENERATION), traefik.probe("shop", "a.b", "/"),
    ):  # fmt: skip
        with pytest.raises(ProxySilent):
            await call
    await traefik.close()


@pytest.mark.parametrize("status", [500, 502])
async def test_a_proxy_in_trouble_proves_nothing(status: int) -> None:
    async with serving(lambda _: said(status)) as server:
        traefik = Traefik(api_port=server.port, probe_port=1)

        with pytest.raises(ProxySilent):
            await traefik.servers(GENERATION)
        await traefik.close()


async def test_something_else_on_the_proxys_port_proves_nothing() -> None:
    async with serving(lambda _: said(200, "<html>")) as server:
        traefik = Traefik(api_port=server.port, probe_port=1)

        with pytest.raises(ProxySilent):
            await traefik.servers(GENERATION)
        await traefik.close()


async def test_an_application_that_takes_too_long_is_not_a_silent_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aweigh.routing.traefik._APPLICATION_SECONDS", 0.1)
    async with silent() as port:
        traefik = Traefik(api_port=1, probe_port=port)

        assert await traefik.probe("shop", "a.b", "/") is None
        await traefik.close()


async def test_the_end_of_an_answer_is_not_waited_for() -> None:
    endless = b"HTTP/1.1 200 OK\r\nX-Aweigh-Generation: 7\r\nContent-Length: 999\r\n\r\nbegins"
    async with serving(lambda _: endless) as server:
        traefik = Traefik(api_port=1, probe_port=server.port)

        assert await traefik.probe("shop", "a.b", "/") == TraefikAnswer(200, 7)
        await traefik.close()


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """A server that takes connections and says nothing."""
    over = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    listening = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        over.set()
