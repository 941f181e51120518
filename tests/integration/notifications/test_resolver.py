"""Names are resolved in a few threads, of which a name server that does not answer holds one."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from aweigh.notifications.senders.guarded_network import Resolver

SILENT = "silent.test"


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Lets the name server of one host answer, which does not before."""
    event = threading.Event()

    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        if host == SILENT:
            event.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return [(None, None, None, None, ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield event
    event.set()


async def test_host_that_is_not_resolved_leaves_threads_to_others(answer: threading.Event) -> None:
    resolver = Resolver()
    hanging = [asyncio.ensure_future(resolver(SILENT, port)) for port in range(40)]
    await asyncio.sleep(0)

    assert await asyncio.wait_for(resolver("other.test", 443), 10) == ["192.0.2.1"]

    hanging[0].cancel()
    answer.set()
    results = await asyncio.gather(*hanging, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert {type(one) for one in results[1:]} == {socket.gaierror}
    resolver.close()


async def test_each_resolution_asks_anew(answer: threading.Event) -> None:
    resolver = Resolver()
    answer.set()
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await resolver(SILENT, 443)
    resolver.close()
