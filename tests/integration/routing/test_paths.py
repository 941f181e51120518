"""Which application gets a request, when several share a host by path."""

from collections.abc import AsyncIterator

import pytest

from tests.support.real_proxy import Edge, running_edge

HOST = "paths.localhost"


@pytest.fixture(scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    paths = {"root": "/", "api": "/api", "deep": "/api/v1", "odd": "/a.b(c)+$"}
    async with running_edge(tmp_path_factory.mktemp("edge"), tuple(paths)) as made:
        for slug, path in paths.items():
            await made.route(slug, domains=[{"host": HOST, "path": path, "tls": False}])
        yield made


@pytest.mark.parametrize(
    ("target", "application"),
    [
        ("/", "root"),
        ("/api", "api"),
        ("/api/", "api"),
        ("/api?q=1", "api"),
        ("/api/x", "api"),
        ("/api/v1", "deep"),
        ("/api/v1/x", "deep"),
        ("/api/v10", "api"),
        ("/a.b(c)+$", "odd"),
        ("/a.b(c)+$/x", "odd"),
        ("/axb(c)+$", "root"),
        # Neighbours that only begin alike.
        ("/apiary", "root"),
        ("/api.html", "root"),
        ("/api-docs", "root"),
        ("/api;x", "root"),
        ("/API", "root"),
        # Encoded: a slash that is data ends no segment, everything else means the same.
        ("/api%2Fx", "root"),
        ("/api%2fx", "root"),
        ("/api%5Cx", "root"),
        ("/api%00", "root"),
        ("/api%3Fx", "root"),
        ("/api%2561", "root"),
        ("/%2Fapi/x", "root"),
        ("/%61pi/x", "api"),
        ("/%61%70%69", "api"),
        # Dots and doubled slashes are resolved before a rule is looked at.
        ("//api/x", "api"),
        ("/api//x", "api"),
        ("/x/../api/y", "api"),
        ("/x/%2e%2e/api/y", "api"),
        ("/api/../x", "root"),
        ("/api/%2e%2E/x", "root"),
        ("/api/..", "root"),
        ("http://paths.localhost/api/x", "api"),
        ("http://paths.localhost/apiary", "root"),
    ],
)
async def test_a_path_prefix_ends_at_a_segment(edge: Edge, target: str, application: str) -> None:
    reply = await edge.ask(HOST, target)

    assert (reply.status, reply.application) == (200, application)
    assert "/../" not in reply.target


async def test_a_host_is_matched_as_browsers_write_it(edge: Edge) -> None:
    for host in (HOST.upper(), f"{HOST}.", f"{HOST}:{edge.plan.web_port}"):
        assert (await edge.ask(host, "/api/x")).application == "api"
