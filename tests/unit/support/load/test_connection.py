from __future__ import annotations

import asyncio
import socket

from tests.support.load.answer import Answer
from tests.support.load.connection import Connection
from tests.support.load.plan import Flow
from tests.support.load.report import Verdict

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Owner:
    def __init__(self) -> None:
        self.has_answer = asyncio.Event()
        self.is_gone = asyncio.Event()

    def answered(self, connection: Connection, answer: Answer, due: float) -> None:
        self.has_answer.set()

    def failed(self, connection: Connection, verdict: Verdict) -> None:
        raise AssertionError(verdict)

    def gone(self, connection: Connection) -> None:
        self.is_gone.set()


async def test_a_connection_is_not_used_after_the_server_closed_it_even_if_nobody_told_us_yet() -> (
    None
):
    owner = Owner()
    loop = asyncio.get_running_loop()
    connection = Connection(owner, Flow(name="get", rate=1), b"GET / HTTP/1.1\r\n\r\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection.open(listener.getsockname())
        connection.send(due=loop.time(), timeout=10)
        server, _ = await asyncio.to_thread(listener.accept)
    with server:
        server.sendall(ANSWER)
        await owner.has_answer.wait()
        assert connection.is_usable()

    # No await since the socket was closed, so the event loop cannot have noticed.
    assert not connection.is_usable()
    connection.close()
    await owner.is_gone.wait()
