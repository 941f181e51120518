from __future__ import annotations

import asyncio

import pytest

from examples.demo import application
from examples.demo.application import Request, Settings
from tests.unit.conftest import StartApplication, StartProcess


async def ask(port: int, request: str) -> str:
    """Send a request and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


def get(path: str, *, connection: str = "close") -> str:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n"


async def test_every_answer_tells_who_gave_it(start_application: StartApplication) -> None:
    shop = await start_application(NAME="shop", VERSION="v7")

    for path in ("/", "/healthz", "/slow?seconds=0", "/status/500", "/nowhere"):
        answer = await ask(shop.port, get(path))

        assert "\r\nX-Name: shop\r\n" in answer
        assert "\r\nX-Version: v7\r\n" in answer
        assert answer.endswith("\r\n\r\nshop v7\n")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/status/503", 503), ("/env/VERSION", 404), ("/slow?seconds=soon", 400)],
)
async def test_the_path_chooses_the_status(
    start_application: StartApplication, path: str, status: int
) -> None:
    demo = await start_application()

    assert (await ask(demo.port, get(path))).startswith(f"HTTP/1.1 {status} ")


async def test_pipelined_requests_are_answered_in_order(
    start_application: StartApplication,
) -> None:
    demo = await start_application()
    slow_one = get("/slow?seconds=0.1", connection="keep-alive")
    post = "POST /status/201 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"

    answer = await ask(demo.port, slow_one + post + get("/status/404"))

    statuses = [line.split()[1] for line in answer.splitlines() if line.startswith("HTTP/")]
    assert statuses == ["200", "201", "404"]


async def test_a_stream_is_chunked_and_complete(start_application: StartApplication) -> None:
    demo = await start_application(VERSION="v1")

    answer = await ask(demo.port, get("/stream?seconds=0.2"))

    assert "\r\nTransfer-Encoding: chunked\r\n" in answer
    assert answer.endswith("\r\n\r\n8\r\ndemo v1\n\r\n8\r\ndemo v1\n\r\n0\r\n\r\n")


async def test_a_head_request_gets_no_body(start_application: StartApplication) -> None:
    demo = await start_application()

    answer = await ask(demo.port, get("/").replace("GET", "HEAD"))

    assert answer.endswith("\r\n\r\n")


@pytest.mark.parametrize("path", ["/", "/healthz"])
async def test_an_unhealthy_application_says_so(
    start_application: StartApplication, path: str
) -> None:
    demo = await start_application(UNHEALTHY="1")

    assert (await ask(demo.port, get(path))).startswith("HTTP/1.1 503 ")


async def test_an_application_can_turn_healthy_late(start_application: StartApplication) -> None:
    demo = await start_application(HEALTHY_AFTER="0.3")

    statuses = [(await ask(demo.port, get("/"))).split()[1]]
    while statuses[-1] != "200":
        statuses.append((await ask(demo.port, get("/"))).split()[1])

    assert set(statuses) == {"503", "200"}


async def test_a_graceful_stop_closes_what_is_idle_and_finishes_what_is_not(
    start_application: StartApplication,
) -> None:
    demo = await start_application()
    idle_reader, idle = await asyncio.open_connection("127.0.0.1", demo.port)
    busy_reader, busy = await asyncio.open_connection("127.0.0.1", demo.port)
    fresh_reader, fresh = await asyncio.open_connection("127.0.0.1", demo.port)
    busy.write(get("/slow?seconds=0.5", connection="keep-alive").encode())
    idle.write(get("/", connection="keep-alive").encode())
    await idle_reader.readuntil(b"demo unknown\n")

    demo.process.terminate()

    assert await idle_reader.read() == b""
    fresh.write(get("/", connection="keep-alive").encode())
    assert b"\r\nConnection: close\r\n" in await fresh_reader.read()
    assert (await busy_reader.read()).endswith(b"demo unknown\n")
    assert await demo.process.wait() == 0
    for writer in (idle, busy, fresh):
        writer.close()
        await writer.wait_closed()


async def test_a_connection_that_never_speaks_does_not_hold_up_a_graceful_stop(
    start_application: StartApplication,
) -> None:
    demo = await start_application()
    _, silent = await asyncio.open_connection("127.0.0.1", demo.port)

    demo.process.terminate()

    assert await demo.process.wait() == 0
    silent.close()
    await silent.wait_closed()


async def test_an_application_can_die_at_once(start_application: StartApplication) -> None:
    demo = await start_application(ON_SIGTERM="exit")
    reader, writer = await asyncio.open_connection("127.0.0.1", demo.port)
    writer.write(get("/stream?seconds=60").encode())
    # Only once the request was read: a process that dies before resets the connection.
    await reader.readuntil(b"demo unknown\n")

    demo.process.terminate()

    assert not (await reader.read()).endswith(b"0\r\n\r\n")
    assert await demo.process.wait() == application.KILLED_BY_SIGTERM
    writer.close()
    await writer.wait_closed()


async def test_an_application_can_ignore_the_signal(start_application: StartApplication) -> None:
    demo = await start_application(ON_SIGTERM="ignore")

    demo.process.terminate()

    assert demo.process.stdout is not None
    assert b"ignores the signal" in await demo.process.stdout.readline()
    assert (await ask(demo.port, get("/"))).startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize("environment", [{"BOOT_SECONDS": "60"}, {"LISTEN": "0"}])
async def test_an_application_that_does_not_listen_can_be_stopped(
    start_process: StartProcess, environment: dict[str, str]
) -> None:
    process = await start_process(**environment)
    assert process.stdout is not None
    await process.stdout.readuntil(b"starts\n")

    process.terminate()

    assert await process.wait() == 0
    assert await process.stdout.read() == b""


async def test_an_application_can_fail_to_start(start_process: StartProcess) -> None:
    process = await start_process(EXIT_CODE="3", VERSION="v2")

    assert await process.wait() == 3
    assert process.stderr is not None
    assert await process.stderr.read() == b"demo v2: cannot start, as it was told\n"


def test_a_request_is_not_taken_before_its_body_is_complete() -> None:
    head = b"POST /?seconds=1.5 HTTP/1.1\r\ncontent-length: 3\r\n\r\n"

    assert Request.parse(head[:-1]) is None
    assert Request.parse(head + b"ab") is None
    parsed = Request.parse(head + b"abcGET")
    assert parsed is not None
    request, rest = parsed
    assert (request.method, request.path, request.seconds(), rest) == ("POST", "/", 1.5, b"GET")


def test_manners_nobody_knows_are_refused() -> None:
    with pytest.raises(ValueError, match="ON_SIGTERM is none of"):
        Settings({"ON_SIGTERM": "linger"})
