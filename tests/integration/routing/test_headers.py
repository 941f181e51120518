"""What an application is told of a client, and by whom."""

import itertools
from collections.abc import AsyncIterator

import pytest

from aweigh.routing.route import FORGEABLE
from tests.support.real_proxy import BALANCER, CLIENT, Edge, running_edge

PLAIN, SECURE = "plain.localhost", "secure.localhost"
SET_BY_TRAEFIK = (
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto",
    "X-Forwarded-Server", "X-Real-Ip",
)  # fmt: skip
CLEARED_BY_TRAEFIK = (
    "X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded-Tls-Client-Cert-Info",
)  # fmt: skip
ALL = (*SET_BY_TRAEFIK, *CLEARED_BY_TRAEFIK, *FORGEABLE)


def spellings(name: str) -> list[str]:
    """Every way to write a header that CGI, WSGI or PHP makes the same variable of."""
    parts = name.split("-")
    between = itertools.product("-_.", repeat=len(parts) - 1)
    mixed = [
        "".join(map("".join, itertools.zip_longest(parts, one, fillvalue=""))) for one in between
    ]
    odd = [name.replace("-", sign) for sign in "!#$%&'*+^`|~"]
    return [*mixed, *odd, name.lower(), name.upper().replace("-", "_")]


def variable(name: str) -> str:
    """The name as CGI, WSGI and PHP give it to a program."""
    return "".join(char if char.isalnum() else "_" for char in name.upper())


@pytest.fixture(scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    directory = tmp_path_factory.mktemp("edge")
    async with running_edge(
        directory, ("plain", "secure", "deep"), trusted_proxies=(f"{BALANCER}/32",)
    ) as made:
        await made.route("plain", domains=[{"host": PLAIN, "tls": False}])
        await made.route("deep", domains=[{"host": PLAIN, "path": "/d", "tls": False}])
        await made.route("secure", domains=[{"host": SECURE}])
        yield made


@pytest.mark.parametrize("name", ALL)
async def test_no_spelling_of_a_forwarded_header_passes(edge: Edge, name: str) -> None:
    lines = [f"{spelling}: forged" for spelling in spellings(name)]
    for tls in (False, True):
        reply = await edge.ask(SECURE if tls else PLAIN, "/", *lines, tls=tls)

        assert reply.status == 200
        assert "forged" not in reply.head
        seen = [one for one in reply.headers if variable(one) == variable(name)]
        assert len(seen) == (name in SET_BY_TRAEFIK)


async def test_traefik_says_itself_who_asks(edge: Edge) -> None:
    reply = await edge.ask(PLAIN)

    told = {name: value for name, value in reply.headers.items() if name in SET_BY_TRAEFIK}
    assert told.pop("X-Forwarded-Server")
    assert told == {
        "X-Forwarded-For": CLIENT, "X-Real-Ip": CLIENT, "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": PLAIN, "X-Forwarded-Port": "80",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-Ip", "Forwarded", "Cookie"])
async def test_a_header_of_the_connection_takes_none_away(edge: Edge, name: str) -> None:
    reply = await edge.ask(PLAIN, "/", f"Connection: close, {name}", f"{name}: forged")

    assert reply.headers["X-Forwarded-For"] == reply.headers["X-Real-Ip"] == CLIENT


async def test_ordinary_headers_pass(edge: Edge) -> None:
    names = ("Authorization", "Cookie", "X-Api-Key", "Soapaction", "X-Request-Id", "Origin")

    reply = await edge.ask(PLAIN, "/", *(f"{name}: mine" for name in names))

    assert [reply.headers.get(name) for name in names] == ["mine"] * len(names)


@pytest.mark.parametrize("target", ["/", "/d"])
async def test_a_trusted_proxy_is_believed(edge: Edge, target: str) -> None:
    told = dict.fromkeys(FORGEABLE, "told") | {
        "X-Forwarded-Proto": "https", "X-Forwarded-Host": "outside.example.com",
        "X-Forwarded-Port": "443", "X-Real-Ip": "203.0.113.9",
    }  # fmt: skip
    lines = [f"{name}: {value}" for name, value in told.items()]

    reply = await edge.ask(PLAIN, target, "X-Forwarded-For: 203.0.113.9", *lines, source=BALANCER)

    assert reply.application == ("deep" if target == "/d" else "plain")
    assert reply.headers["X-Forwarded-For"] == f"203.0.113.9, {BALANCER}"
    assert {name: reply.headers.get(name) for name in told} == told


async def test_other_spellings_of_a_trusted_proxys_headers_are_a_clients(edge: Edge) -> None:
    lines = [f"{one}: forged" for one in spellings("X-Forwarded-For") if one.count("-") < 2]

    reply = await edge.ask(PLAIN, "/", *lines, source=BALANCER)

    assert "forged" not in reply.head


async def test_a_trusted_proxy_that_ends_tls_is_not_redirected(edge: Edge) -> None:
    lines = ("X-Forwarded-Proto: https", f"X-Forwarded-Port: {edge.plan.web_secure_port}")

    ends_tls = await edge.ask(SECURE, "/", *lines, source=BALANCER)
    says_so = await edge.ask(SECURE, "/", *lines)
    plain = await edge.ask(SECURE, "/", source=BALANCER)

    assert (ends_tls.status, ends_tls.headers.get("X-Forwarded-Proto")) == (200, "https")
    assert (says_so.status, plain.status) == (301, 301)


async def test_the_proxy_has_nothing_to_warn_of(edge: Edge) -> None:
    log = (edge.plan.routes.parent / "traefik.log").read_text()

    assert "aliasHeadersStrategy" not in log
    assert "ERR" not in log


async def test_the_proxy_protocol_of_a_trusted_proxy_names_the_client(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    preamble = b"PROXY TCP4 203.0.113.9 192.0.2.1 5000 80\r\n"
    async with running_edge(
        tmp_path_factory.mktemp("edge"), ("plain",),
        trusted_proxies=(f"{BALANCER}/32",), proxy_protocol=True,
    ) as edge:  # fmt: skip
        await edge.route("plain", domains=[{"host": PLAIN, "tls": False}])

        named = await edge.ask(PLAIN, "/", "Forwarded: for=x", before=preamble, source=BALANCER)
        forged = await edge.ask(PLAIN, "/", before=preamble)

    assert named.headers["X-Forwarded-For"] == "203.0.113.9"
    assert "Forwarded" not in named.headers
    assert forged.status == 400 or forged.headers["X-Forwarded-For"] == CLIENT
