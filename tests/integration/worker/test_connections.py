"""What a connection may cost, against callers who send slowly, in crumbs, half, or do not read."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import uvicorn

from tests.support.ports import free_ports
from worker.connection_limits import Connections, GuardedProtocol, Limits

PATIENCE = 300  # of these tests, with a machine that is busy
GET = b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST /body HTTP/1.1\r\nHost: a\r\n"


@dataclass
class Application:
    """Reads bodies at /body, answers at once elsewhere, without an end at /endless."""

    ends: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/body":
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    self.ends.append("gone")
                    return
                if not message["more_body"]:
                    break
        if scope["path"] == "/wait":
            self.ends.append("waits")
            await receive()
            await receive()
            return
        length = [] if scope["path"] == "/endless" else [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        while scope["path"] == "/endless":
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
            await asyncio.sleep(0)
            if (await _now(receive))["type"] == "http.disconnect":
                self.ends.append("gone")
                return
        await send({"type": "http.response.body", "body": b"hello"})


async def _now(receive: Callable[[], Awaitable[Any]]) -> Any:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0):
            return await receive()
    return {"type": "nothing"}


@dataclass
class Server:
    port: int
    application: Application
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def open(self, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        writer.write(data)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        return reader, writer

    async def hang_up(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def ask(self, data: bytes = GET) -> bytes:
        """Everything that is answered, until the connection is closed."""
        reader, _ = await self.open(data)
        return await until_closed(reader)


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                answer += data
    return answer


@asynccontextmanager
async def serving(**limits: Any) -> AsyncIterator[Server]:
    application, [port] = Application(), free_ports(1)
    protocol: Any = partial(GuardedProtocol, Connections(Limits(**limits)))
    config = uvicorn.Config(
        application, port=port, http=protocol, log_config=None, lifespan="off", ws="none",
        timeout_graceful_shutdown=5,
    )  # fmt: skip
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    caller = Server(port, application)
    try:
        yield caller
    finally:
        await caller.hang_up()
        server.should_exit = True
        await running


BODY = POST + b"Content-Length: 1000\r\n\r\nhalf"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("half", [b"", b"GET /", POST, BODY, CHUNKED + b"1\r\nx"], ids=range(5))
async def test_half_sent_requests_make_way_for_whole_ones(half: bytes) -> None:
    async with serving(connections=20) as server:
        for _ in range(60):
            await server.open(half)

        assert (await server.ask()).endswith(b"hello")


@pytest.mark.parametrize("half", [b"", b"GET /", POST, BODY, CHUNKED + b"1\r\nx"], ids=range(5))
async def test_what_never_becomes_a_request_is_closed(
    half: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(head_seconds=0.2, body_seconds=0.2) as server:
        reader, _ = await server.open(half)

        assert await until_closed(reader) == b""

        assert (await server.ask()).endswith(b"hello")
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(("begin", "drop"), [
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x"), (POST + b"Content-Length: 9999\r\n\r\n", b"x"),
    (CHUNKED, b"1\r\nx\r\n"), (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n", b"x"),
], ids=["head", "body", "chunks", "body that was answered"])  # fmt: skip
async def test_a_request_that_drips_is_closed(begin: bytes, drop: bytes) -> None:
    limits = {"head_seconds": 0.3, "body_seconds": 0.3, "rest_seconds": 0.3}
    async with serving(**limits) as server:
        reader, writer = await server.open(begin)

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(drop)
                    await writer.drain()
                    await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        await until_closed(reader)
        dripping.cancel()


async def test_a_body_that_is_slow_but_comes_is_taken() -> None:
    async with serving(body_seconds=0.2, body_bytes_a_second=1000) as server:
        reader, writer = await server.open(
            POST + b"Connection: close\r\nContent-Length: 20000\r\n\r\n"
        )
        for _ in range(20):
            writer.write(bytes(1000))
            await asyncio.sleep(0.02)

        assert (await until_closed(reader)).endswith(b"hello")


async def test_a_body_in_crumbs_is_refused() -> None:
    async with serving() as server:
        answer = await server.ask(CHUNKED + b"1\r\nx\r\n" * 200_000)

        assert answer.startswith(b"HTTP/1.1 400")
        assert (await server.ask()).endswith(b"hello")


async def test_a_body_in_chunks_is_taken() -> None:
    chunks = (b"64\r\n" + b"x" * 100 + b"\r\n") * 5000 + b"0\r\n\r\n"

    async with serving() as server:
        answer = await server.ask(
            CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + chunks
        )

        assert answer.endswith(b"hello")


async def test_a_head_that_is_too_long_is_refused_though_it_comes_at_once() -> None:
    async with serving() as server:
        answer = await server.ask(GET[:-4] + b"\r\n" + b"A: b\r\n" * 20_000 + b"\r\n")

        assert answer.startswith(b"HTTP/1.1 4")


async def test_whoever_does_not_read_the_answer_is_given_up() -> None:
    async with serving(unread_seconds=0.3) as server:
        await server.open(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")

        async with asyncio.timeout(PATIENCE):
            while server.application.ends != ["gone"]:
                await asyncio.sleep(0.02)


async def test_a_new_caller_is_told_when_everybody_waits_for_an_answer() -> None:
    async with serving(connections=5) as server:
        for _ in range(5):
            await server.open(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        while len(server.application.ends) < 5:
            await asyncio.sleep(0.01)

        answer = await server.ask()

        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Retry-After: 1" in answer
        assert answer.endswith(b'"detail":"Too many connections are open; try again."}')


@pytest.mark.parametrize(("others", "address", "has_place"), [
    ("2001:db8::{}", "2001:db8::ffff:1", False), ("2001:db8::{}", "2001:db8:0:1::1", True),
    ("::ffff:192.0.2.1", "192.0.2.1", False), ("::ffff:127.0.0.1", "127.0.0.1", True),
    ("127.0.0.1", "::ffff:127.0.0.1", True),
])  # fmt: skip
def test_connections_are_counted_by_what_one_caller_has_to_himself(
    others: str, address: str, has_place: bool
) -> None:
    connections = Connections(Limits(connections_of_one=3))
    for number in range(1, 4):
        connections.enter(others.format(number))

    assert connections.has_place(address) is has_place
    connections.leave(others.format(1))
    assert connections.has_place(address)
