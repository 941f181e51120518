"""Counting open connections: one look for all who ask meanwhile, never an older one."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack

from aweigh.routing.connections import Connections


class Looks:
    """Looks that last until they are let go."""

    def __init__(self) -> None:
        self.asked: list[Collection[str]] = []
        self.free = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)

    def __call__(self, addresses: Collection[str]) -> Counter[str]:
        self.asked.append(addresses)
        self.begun.release()
        assert self.free.acquire(timeout=60)
        return Counter({"10.0.0.1": 1, "10.0.0.2": len(self.asked)})


async def test_a_hundred_who_ask_at_once_share_two_looks() -> None:
    looks = Looks()
    connections = Connections(looks)
    first = asyncio.create_task(connections.to(("10.0.0.1",)))
    await asyncio.to_thread(looks.begun.acquire)
    others = [
        asyncio.create_task(connections.to(("10.0.0.1", "10.0.0.2", f"10.0.1.{number}")))
        for number in range(100)
    ]
    await asyncio.sleep(0)

    looks.free.release(2)
    counts = await asyncio.gather(first, *others)

    assert counts == [1, *[3] * 100]  # what was seen after each of them had asked
    assert [len(one) for one in looks.asked] == [1, 102]


async def test_one_who_gives_up_takes_nothing_from_the_others() -> None:
    looks = Looks()
    connections = Connections(looks)
    impatient = asyncio.create_task(connections.to(("10.0.0.1",)))
    await asyncio.to_thread(looks.begun.acquire)
    patient = asyncio.create_task(connections.to(("10.0.0.2",)))
    await asyncio.sleep(0)

    impatient.cancel()
    looks.free.release(2)

    assert await patient == 2
    assert await connections.to(()) == 0


async def test_what_cannot_be_told_is_not_nothing() -> None:
    def broken(_: Collection[str]) -> Counter[str]:
        raise FileNotFoundError("ss")

    connections = Connections(broken)

    assert await connections.to(("10.0.0.1",)) is None
    assert await connections.to(("10.0.0.1",)) is None


async def test_real_connections_are_counted_by_their_other_side() -> None:
    connections = Connections()
    with ExitStack() as opened:
        listening = opened.enter_context(socket.create_server(("127.0.0.9", 0)))
        for expected in range(3):
            assert await connections.to(("127.0.0.9", "127.0.0.10")) == expected
            opened.enter_context(socket.create_connection(listening.getsockname()))
