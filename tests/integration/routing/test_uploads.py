"""How long a request may take to arrive, and what that limit leaves alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.real_proxy import Edge, running_edge

HOST = "uploads.localhost"
LIMIT = 2
#: Longer than the limit; an event is sent each half second.
EVENTS = LIMIT * 3
#: Traefik's own limit, which cut uploads.
TRAEFIKS_LIMIT = 60


async def _edge(directory: Path, **fields: int) -> AsyncIterator[Edge]:
    async with running_edge(directory, ("uploads",), **fields) as made:
        domains = [{"host": HOST, "tls": False}, {"host": "secure.localhost"}]
        await made.route("uploads", domains=domains)
        yield made


@pytest.fixture(scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    async for made in _edge(tmp_path_factory.mktemp("edge"), upload_seconds=LIMIT):
        yield made


@pytest.fixture(scope="module")
async def as_delivered(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    async for made in _edge(tmp_path_factory.mktemp("edge")):
        yield made


async def upload(edge: Edge, seconds: float, *, tls: bool = False) -> bytes:
    """Send a byte each quarter second; the status line of the answer, empty without one."""
    reader, writer = await edge.connect(tls=tls)
    host = "secure.localhost" if tls else HOST
    count = int(seconds * 4)
    with closing(writer), contextlib.suppress(ConnectionError):
        writer.write(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {count}\r\n\r\n".encode())
        for _ in range(count):
            await asyncio.sleep(0.25)
            if reader.at_eof() or writer.is_closing():
                break
            writer.write(b"x")
        return await reader.readline()
    return b""


async def until_closed(edge: Edge, *pieces: bytes) -> None:
    """Send the first piece, then the second again and again, until the proxy closes."""
    reader, writer = await edge.connect()
    with closing(writer):
        writer.write(pieces[0])
        ended = asyncio.ensure_future(reader.read())
        while not ended.done():
            writer.write(pieces[1])
            await asyncio.wait([ended], timeout=0.2)
        assert ended.exception() or b" 200 " not in ended.result()


@pytest.mark.parametrize(
    "pieces",
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: uploads.localhost\r\n", b""),
        (b"GET / HTTP/1.1\r\nHost: uploads.localhost\r\n", b"X-More: x\r\n"),
        (b"POST / HTTP/1.1\r\nHost: uploads.localhost\r\nContent-Length: 9999\r\n\r\n", b"x"),
    ],
    ids=["silent", "half a head", "a head without end", "a body without end"],
)
async def test_a_request_that_does_not_arrive_is_closed(
    edge: Edge, pieces: tuple[bytes, bytes]
) -> None:
    await until_closed(edge, *pieces)


async def test_the_limit_leaves_long_answers_alone(edge: Edge) -> None:
    reader, writer = await edge.connect()
    with closing(writer):
        writer.write(f"GET /stream/{EVENTS} HTTP/1.1\r\nHost: {HOST}\r\n".encode())
        writer.write(b"Connection: close\r\n\r\n")
        answer = await reader.read()

    assert f"data: {EVENTS - 1}".encode() in answer


async def test_the_limit_leaves_websockets_alone(edge: Edge) -> None:
    reader, writer = await edge.connect()
    lines = ["GET / HTTP/1.1", f"Host: {HOST}", "Connection: Upgrade", "Upgrade: websocket",
             "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
             ]  # fmt: skip
    with closing(writer):
        writer.write("\r\n".join([*lines, "\r\n"]).encode())
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        for number in range(EVENTS):
            await asyncio.sleep(0.5)
            writer.write(b"%d" % number)
            assert await reader.read(10) == b"%d" % number


async def test_half_sent_requests_keep_nobody_waiting(as_delivered: Edge) -> None:
    held = [await as_delivered.connect() for _ in range(1000)]
    for _, writer in held:
        writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n".encode())

    reply = await as_delivered.ask(HOST)

    assert reply.status == 200
    for _, writer in held:
        writer.close()


def test_uploads_have_an_hour(as_delivered: Edge) -> None:
    assert as_delivered.plan.upload_seconds == 3600


@pytest.mark.long
@pytest.mark.parametrize("tls", [False, True])
async def test_an_upload_of_more_than_a_minute_arrives(as_delivered: Edge, tls: bool) -> None:
    assert b" 200 " in await upload(as_delivered, TRAEFIKS_LIMIT + 10, tls=tls)


@pytest.mark.parametrize("tls", [False, True])
async def test_an_upload_within_the_limit_arrives(
    edge: Edge, as_delivered: Edge, tls: bool
) -> None:
    assert b" 200 " in await upload(as_delivered, LIMIT + 1, tls=tls)
    assert b" 200 " not in await upload(edge, LIMIT + 1, tls=tls)
