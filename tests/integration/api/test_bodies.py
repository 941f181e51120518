"""Room for the bodies of deliveries: who gets it when there is not enough."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import Request

from api import bodies
from api.bodies import SMALL, Bodies
from aweigh.core.errors import Unavailable
from tests.support.api_caller import Caller
from tests.support.github import delivery, push

REPOSITORY = "https://github.com/acme/shop.git"
MB = 1024 * 1024


class Sender:
    """A caller whose body comes as the test says."""

    def __init__(self, address: str = "192.0.2.1") -> None:
        self._messages: asyncio.Queue[Any] = asyncio.Queue()
        scope = {"type": "http", "method": "POST", "headers": [], "client": (address, 1)}
        self.request = Request(scope, self.receive)

    async def receive(self) -> Any:
        return await self._messages.get()

    def send(self, size: int, *, more: bool = True) -> "Sender":
        self._messages.put_nowait({"type": "http.request", "body": bytes(size), "more_body": more})
        return self

    async def until_read(self) -> None:
        while not self._messages.empty():
            await asyncio.sleep(0)
        await asyncio.sleep(0)


@asynccontextmanager
async def held(room: Bodies, sender: Sender) -> AsyncIterator[asyncio.Task[int]]:
    """A body that is being read, and its room until the end of the block."""
    done = asyncio.Event()

    async def read() -> int:
        async with room.of(sender.request) as body:
            await done.wait()
            return len(body)

    reading = asyncio.create_task(read())
    await sender.until_read()
    yield reading
    done.set()
    await asyncio.wait({reading})


async def size_of(room: Bodies, sender: Sender) -> int:
    async with room.of(sender.request) as body:
        return len(body)


async def test_the_oldest_that_has_not_arrived_makes_way() -> None:
    room = Bodies(most=10 * MB, most_of_one=10 * MB)
    old, new = Sender("192.0.2.1").send(5 * MB), Sender("192.0.2.2").send(5 * MB)
    async with held(room, old) as first, held(room, new) as second:
        assert await size_of(room, Sender("192.0.2.3").send(2 * MB, more=False)) == 2 * MB

        with pytest.raises(Unavailable, match="too many large deliveries"):
            await first
        new.send(1, more=False)
    assert await second == 5 * MB + 1


async def test_who_takes_too_much_makes_way_for_himself_alone() -> None:
    room = Bodies(most=10 * MB, most_of_one=4 * MB)
    other, greedy = Sender("192.0.2.1").send(3 * MB), Sender("2001:db8::1").send(3 * MB)
    async with held(room, other) as first, held(room, greedy) as second:
        assert await size_of(room, Sender("2001:db8::2").send(3 * MB, more=False)) == 3 * MB

        with pytest.raises(Unavailable):
            await second
        other.send(0, more=False)
    assert await first == 3 * MB


async def test_what_has_arrived_is_waited_for_and_not_given_up() -> None:
    room = Bodies(most=4 * MB, most_of_one=4 * MB)
    late = Sender("192.0.2.2").send(3 * MB, more=False)
    async with held(room, Sender("192.0.2.1").send(3 * MB, more=False)) as first:
        waiting = asyncio.create_task(size_of(room, late))
        await late.until_read()
        assert not waiting.done()

    assert (await first, await waiting) == (3 * MB, 3 * MB)


async def test_whoever_waits_too_long_for_room_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_PATIENCE", 0.01)
    room = Bodies(most=4 * MB, most_of_one=4 * MB)
    async with held(room, Sender().send(3 * MB, more=False)) as first:
        with pytest.raises(Unavailable):
            await size_of(room, Sender().send(3 * MB, more=False))

        assert await size_of(room, Sender().send(SMALL, more=False)) == SMALL
    assert await first == 3 * MB


async def test_nothing_stays_counted() -> None:
    room = Bodies(most=4 * MB, most_of_one=4 * MB)
    for _ in range(5):
        async with held(room, half := Sender().send(3 * MB)) as reading:
            reading.cancel()
            await asyncio.wait({reading})
        assert await size_of(room, Sender().send(4 * MB, more=False)) == 4 * MB
    assert half.request


HALVES: list[tuple[int, Callable[[Sender], Sender]]] = [
    (250, lambda one: one.send(1)), (200, lambda one: one.send(1 * MB)),
]  # fmt: skip


@pytest.mark.parametrize("size", [10, 300_000], ids=["small", "large"])
@pytest.mark.parametrize(("number", "sent"), HALVES, ids=["a byte each", "a megabyte each"])
async def test_half_sent_deliveries_keep_no_whole_one_out(
    caller: Caller, number: int, sent: Callable[[Sender], Sender], size: int
) -> None:
    source = {"type": "git", "repository": REPOSITORY}
    made = await caller.call("POST", "/v1/applications", json={"name": "shop", "source": source})
    payload = push(REPOSITORY, after="1" * 40) | {"pad": "x" * size}
    senders = [sent(Sender(f"192.0.2.{n % 3}")) for n in range(number)]
    halves = [
        asyncio.create_task(caller.app(scope_of(one), one.receive, ignore)) for one in senders
    ]
    for one in senders:
        await one.until_read()

    answer = await caller.client.post(
        "/v1/github/webhooks", **delivery(payload, made.json()["webhook_secret"], id="one")
    )

    assert answer.status_code == 202
    for task in halves:
        task.cancel()
    await asyncio.wait(halves)


def scope_of(sender: Sender) -> dict[str, Any]:
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": "/v1/github/webhooks", "raw_path": b"/v1/github/webhooks",
        "query_string": b"", "root_path": "", "server": ("aweigh", 80),
        "client": sender.request.scope["client"],
        "headers": [
            (b"x-hub-signature-256", b"sha256=" + b"0" * 64), (b"transfer-encoding", b"chunked"),
        ],
    }  # fmt: skip


async def ignore(_: Any) -> None:
    pass
