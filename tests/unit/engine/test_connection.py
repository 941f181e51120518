"""A request that waits for a registry can be ended, whatever the engine does meanwhile."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, DockerException

from aweigh.core.errors import PullStopped
from aweigh.core.threads import in_thread
from aweigh.engine.connection import AbortableConnection

SECONDS = 20


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        yield listening


def host_of(engine: socket.socket) -> str:
    return f"unix://{engine.getsockname()}"


def client_of(engine: socket.socket) -> docker.APIClient:
    return docker.APIClient(host_of(engine), version="1.41")


def answer(engine: socket.socket, text: bytes) -> None:
    def answered() -> None:
        connection, _ = engine.accept()
        connection.recv(65536)
        connection.sendall(text)
        connection.close()

    threading.Thread(target=answered, daemon=True).start()


async def test_a_cancel_ends_it_before_the_engine_has_said_anything(engine: socket.socket) -> None:
    line, client = AbortableConnection(host_of(engine)), client_of(engine)
    asking = asyncio.create_task(
        in_thread(lambda: list(line.events(client, "/x", {}, {})), line.hang_up)
    )
    connection, _ = await asyncio.to_thread(engine.accept)
    assert await asyncio.to_thread(connection.recv, 4) == b"POST"

    asking.cancel()

    await asyncio.wait([asking], timeout=SECONDS)
    assert asking.cancelled()
    connection.close()


def test_one_that_was_given_up_before_it_began_asks_nothing(engine: socket.socket) -> None:
    line = AbortableConnection(host_of(engine))
    line.hang_up()

    with pytest.raises(PullStopped):
        line.value(client_of(engine), "/x", {})


def test_what_the_engine_says_is_read_to_its_end(engine: socket.socket) -> None:
    events = b'{"a": "\xc3\xa4"}\n{"b": 2}\n'
    split = events[:8], events[8:]  # within a character
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in (*split, b""))
    answer(engine, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)

    assert list(AbortableConnection(host_of(engine)).events(client_of(engine), "/x", {}, {})) == [
        {"a": "ä"},
        {"b": 2},
    ]


def test_a_refusal_keeps_the_engines_words(engine: socket.socket) -> None:
    body = b'{"message": "no such image"}'
    answer(engine, b"HTTP/1.1 404 No\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    with pytest.raises(APIError) as refused:
        AbortableConnection(host_of(engine)).value(client_of(engine), "/x", {})

    assert refused.value.explanation == "no such image"


@pytest.mark.parametrize(
    "text", [b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"]
)
def test_an_engine_that_goes_meanwhile_is_told_from_a_registry(
    engine: socket.socket, text: bytes
) -> None:
    answer(engine, text)

    with pytest.raises(DockerException, match="the connection broke"):
        list(AbortableConnection(host_of(engine)).events(client_of(engine), "/x", {}, {}))


def test_an_engine_that_is_down_is_no_silent_registry(tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/nobody"

    with pytest.raises(DockerException, match="no connection"):
        AbortableConnection(host).value(docker.APIClient(host, version="1.41"), "/x", {})
