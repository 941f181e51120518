"""Every way to lose a request, each by a server made for it, must be found and named."""

from __future__ import annotations

import socket
import struct

import pytest

from tests.support.load import Flow, Kind, Load, running
from tests.unit.conftest import StartApplication
from tests.unit.support.load.conftest import Reader, Serve, Writer

HEAD = b"HTTP/1.1 200 OK\r\nX-Name: demo\r\nX-Version: v1\r\n"
ANSWER = HEAD + b"Content-Length: 5\r\n\r\nhello"

kept_alive = pytest.mark.parametrize("keep_alive", [True, False])


def load(url: str, *, keep_alive: bool = True, timeout: float = 15.0) -> Load:
    # So few that a busy machine does not run out of connections.
    flow = Flow(name="get", rate=50, keep_alive=keep_alive)
    return Load(url=url, flows=(flow,), name="demo", versions=frozenset({"v1"}), timeout=timeout)


async def failures(a_load: Load) -> dict[str, int]:
    """Run the load until it has failed a few times; return what it found besides `ok`."""
    async with running(a_load) as run:
        await run.until(lambda: run.failed >= 5)
    report = run.report()
    assert sum(report.kinds.values()) == report.sent
    assert report.failed == report.sent - report.kinds.get("ok", 0)
    assert {failure.kind for failure in report.failures} == report.kinds.keys() - {"ok"}
    return {kind: count for kind, count in report.kinds.items() if kind != "ok"}


async def take_request(reader: Reader) -> None:
    await reader.readuntil(b"\r\n\r\n")


def reset(writer: Writer) -> None:
    """Close with RST instead of FIN, as a process that is killed with unread bytes does."""
    no_linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
    writer.transport.abort()


@kept_alive
async def test_an_answer_that_breaks_off_is_incomplete(serve: Serve, keep_alive: bool) -> None:
    async def break_off(reader: Reader, writer: Writer) -> None:
        await take_request(reader)
        writer.write(ANSWER[:-1])

    assert (await failures(load(await serve(break_off), keep_alive=keep_alive))).keys() == {"eof"}


@kept_alive
async def test_chunks_without_an_end_are_incomplete(serve: Serve, keep_alive: bool) -> None:
    async def cut_the_chunks(reader: Reader, writer: Writer) -> None:
        await take_request(reader)
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    url = await serve(cut_the_chunks)
    assert (await failures(load(url, keep_alive=keep_alive))).keys() == {"eof"}


@kept_alive
async def test_a_close_instead_of_an_answer_is_incomplete(serve: Serve, keep_alive: bool) -> None:
    async def close(reader: Reader, writer: Writer) -> None:
        await take_request(reader)

    assert (await failures(load(await serve(close), keep_alive=keep_alive))).keys() == {"eof"}


@kept_alive
@pytest.mark.parametrize("before", [b"", ANSWER[:-1]], ids=["at once", "in the middle"])
async def test_a_reset_is_found(serve: Serve, keep_alive: bool, before: bytes) -> None:
    async def answer_with_reset(reader: Reader, writer: Writer) -> None:
        await take_request(reader)
        writer.write(before)
        reset(writer)

    url = await serve(answer_with_reset)
    assert (await failures(load(url, keep_alive=keep_alive))).keys() == {"reset"}


async def test_a_kept_alive_connection_closed_instead_of_the_next_answer_is_a_reset(
    serve: Serve,
) -> None:
    async def answer_once(reader: Reader, writer: Writer) -> None:
        await take_request(reader)
        writer.write(ANSWER)
        await take_request(reader)

    assert (await failures(load(await serve(answer_once)))).keys() == {"reset"}


@kept_alive
async def test_a_server_that_never_answers_times_out(serve: Serve, keep_alive: bool) -> None:
    async def say_nothing(reader: Reader, writer: Writer) -> None:
        await reader.read()

    url = await serve(say_nothing)
    found = await failures(load(url, keep_alive=keep_alive, timeout=0.2))
    assert found.keys() == {"timeout"}


async def test_a_server_that_never_finishes_times_out(serve: Serve) -> None:
    async def trickle(reader: Reader, writer: Writer) -> None:
        writer.write(ANSWER[:-1])
        await reader.read()

    assert (await failures(load(await serve(trickle), timeout=0.2))).keys() == {"timeout"}


async def test_a_server_that_accepts_nobody_times_out_too() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        host, port = listener.getsockname()
        a_load = load(f"http://{host}:{port}", keep_alive=False, timeout=0.2)

        found = await failures(a_load)

    assert found.keys() == {"timeout"}


@kept_alive
async def test_a_closed_port_is_a_connect_error(keep_alive: bool) -> None:
    with socket.socket() as bound_but_not_listening:
        bound_but_not_listening.bind(("127.0.0.1", 0))
        host, port = bound_but_not_listening.getsockname()

        found = await failures(load(f"http://{host}:{port}", keep_alive=keep_alive))

    assert found.keys() == {"connect_error"}


@kept_alive
@pytest.mark.parametrize("status", [b"502", b"404", b"301"])
async def test_an_error_status_is_named(serve: Serve, keep_alive: bool, status: bytes) -> None:
    async def refuse(reader: Reader, writer: Writer) -> None:
        while True:
            await take_request(reader)
            writer.write(ANSWER.replace(b"200", status))

    url = await serve(refuse)
    found = await failures(load(url, keep_alive=keep_alive))
    assert found.keys() == {f"status_{status.decode()}"}


@pytest.mark.parametrize("name", [b"X-Name: shop", b"X-Other: demo"])
async def test_an_answer_of_another_application_is_found(serve: Serve, name: bytes) -> None:
    async def answer_as_another(reader: Reader, writer: Writer) -> None:
        while True:
            await take_request(reader)
            writer.write(ANSWER.replace(b"X-Name: demo", name))

    found = await failures(load(await serve(answer_as_another)))
    assert found.keys() == {"wrong_application"}


@pytest.mark.parametrize("version", [b"X-Version: v2", b"X-Other: v1"])
async def test_an_answer_of_a_version_not_allowed_yet_is_found(
    serve: Serve, version: bytes
) -> None:
    async def answer_too_early(reader: Reader, writer: Writer) -> None:
        while True:
            await take_request(reader)
            writer.write(ANSWER.replace(b"X-Version: v1", version))

    found = await failures(load(await serve(answer_too_early)))
    assert found.keys() == {"uncommitted"}


async def test_what_is_not_http_is_found(serve: Serve) -> None:
    async def babble(reader: Reader, writer: Writer) -> None:
        writer.write(b"220 smtp.example.org ESMTP\r\n\r\n")
        await reader.read()

    assert (await failures(load(await serve(babble)))).keys() == {"malformed"}


async def test_a_request_without_a_free_connection_is_a_loss(serve: Serve) -> None:
    async def hold(reader: Reader, writer: Writer) -> None:
        await reader.read()

    flow = Flow(name="get", rate=200)
    a_load = Load(url=await serve(hold), flows=(flow,), connections_per_flow=3, timeout=0.5)

    found = await failures(a_load)

    assert found[Kind.TIMEOUT] == 3
    assert found.keys() == {"skipped", "timeout"}


async def test_a_killed_application_is_found(start_application: StartApplication) -> None:
    demo = await start_application(ON_SIGTERM="exit")
    flow = Flow(name="slow", rate=100, path="/slow?seconds=0.2")

    async with running(Load(url=demo.url, flows=(flow,))) as run:
        await run.until(lambda: run.answered >= 10)
        demo.process.terminate()
        await run.until(lambda: "connect_error" in run.report().kinds)

    found = run.report().kinds
    assert found.keys() <= {"ok", "eof", "reset", "connect_error"}
    assert found.keys() & {"eof", "reset"}
