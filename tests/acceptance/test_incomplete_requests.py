"""Thousands of connections that send half a request, against a running stack."""

import asyncio
import resource
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from tests.support.stack import Stack

MANY = 3000
HALVES = (
    b"",
    b"GET /healthz HTTP/1.1\r\n",
    b"POST /v1/github/webhooks HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n"
    b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\n\r\n[",
    b"POST /v1/events/hook_x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n{",
)


@contextmanager
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def hold(port: int) -> list[socket.socket]:
    """Connections, each with half a request; those that the API closes meanwhile stay, too."""
    held = []
    for number in range(MANY):
        one = socket.create_connection(("127.0.0.1", port), timeout=60)
        one.sendall(HALVES[number % len(HALVES)])
        held.append(one)
    return held


async def test_the_api_answers_beside_thousands_of_half_sent_requests(stack: Stack) -> None:
    port = int(stack.environment["AWEIGH_API_PORT"])
    with many_files():
        held = await asyncio.to_thread(hold, port)
        try:
            answers = [await stack.call("GET", "/v1/deployments") for _ in range(10)]
        finally:
            for one in held:
                with closing(one):
                    pass

    assert [one.status_code for one in answers] == [200] * 10
    assert (await stack.client.get("/healthz")).status_code == 200
    assert "ClientDisconnect" not in (stack.data / "logs" / "api.log").read_text()
