"""How many messages are sent at a time to targets that are quick, slow, or not known yet."""

import asyncio
from collections.abc import Iterable

import pytest

from aweigh.notifications.senders import places as module
from aweigh.notifications.senders.places import AT_ONCE, OF_PACE, OF_TARGET, Pace, Places


class Sending:
    """Messages that are being sent, until they are ended."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._tasks: dict[asyncio.Task[None], str] = {}
        self.begun: dict[str, int] = {}
        self._end = asyncio.Event()

    async def begin(self, targets: Iterable[str]) -> None:
        for target in targets:
            self._tasks[asyncio.create_task(self._send(target))] = target
        await settled()

    async def _send(self, target: str) -> None:
        async with self._places.take(target):
            self.begun[target] = self.begun.get(target, 0) + 1
            await self._end.wait()

    @property
    def total(self) -> int:
        return sum(self.begun.values())

    async def end(self) -> None:
        self._end.set()
        await asyncio.gather(*self._tasks)

    async def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def named(name: str, number: int) -> list[str]:
    return [f"{name}-{one}" for one in range(number)]


async def learned(places: Places, targets: Iterable[str]) -> None:
    for target in targets:
        async with places.take(target):
            await asyncio.sleep(0.001)


@pytest.fixture
def places() -> Places:
    return Places()


@pytest.fixture
def slow() -> Places:
    """To which each target is slow."""
    return Places(slow_seconds=0)


async def test_an_unknown_target_gets_one_message_until_it_has_answered(places: Places) -> None:
    sending = Sending(places)
    await sending.begin(["chat"] * 6)
    assert sending.begun == {"chat": 1}
    await sending.end()

    again = Sending(places)
    await again.begin(["chat"] * 6)
    assert again.begun == {"chat": OF_TARGET[Pace.QUICK]}
    await again.cancel()


async def test_unknown_targets_that_hang_leave_room_for_quick_ones(places: Places) -> None:
    await learned(places, ["push"])
    hanging, quick = Sending(places), Sending(places)
    await hanging.begin(named("chat", 40))

    await quick.begin(["push"])

    assert (hanging.total, quick.total) == (OF_PACE[Pace.UNKNOWN], 1)
    await hanging.cancel()
    await quick.end()


async def test_slow_targets_leave_room_for_others(slow: Places) -> None:
    await learned(slow, named("chat", 40))
    hanging, new = Sending(slow), Sending(slow)
    await hanging.begin(named("chat", 40))

    await new.begin(["push"])

    assert (hanging.total, new.total) == (OF_PACE[Pace.SLOW], 1)
    await hanging.cancel()
    await new.end()


async def test_quick_targets_that_begin_to_hang_leave_room_once_they_are_found_slow() -> None:
    places = Places(slow_seconds=0.05)
    await learned(places, [*named("chat", 8), "push"])
    hanging, quick = Sending(places), Sending(places)
    await hanging.begin(named("chat", 8))
    await quick.begin(["push"])
    assert (hanging.total, quick.total) == (OF_PACE[Pace.QUICK], 0)

    async with asyncio.timeout(5):
        while not quick.total:
            await asyncio.sleep(0.01)

    assert hanging.total == OF_PACE[Pace.QUICK] < AT_ONCE
    await hanging.cancel()
    await quick.end()


async def test_a_cancelled_message_says_nothing_about_its_target(places: Places) -> None:
    sending = Sending(places)
    await sending.begin(["chat"])
    await sending.cancel()

    again = Sending(places)
    await again.begin(["chat"] * 3)

    assert again.begun == {"chat": 1}
    await again.cancel()


async def test_whoever_waits_too_long_gets_no_place(places: Places) -> None:
    impatient = Places(patience=0.01)
    sending = Sending(impatient)
    await sending.begin(["chat"])

    with pytest.raises(TimeoutError):
        async with impatient.take("chat"):
            pytest.fail("it has a place")

    await sending.end()
    async with impatient.take("chat"):
        pass


async def test_one_that_is_cancelled_as_its_turn_comes_takes_no_place(places: Places) -> None:
    first, waiting, after = (Sending(places) for _ in range(3))
    await first.begin(["chat"])
    await waiting.begin(["chat"])
    await after.begin(["chat"])

    await asyncio.gather(first.end(), waiting.cancel())
    await settled()

    assert after.begun == {"chat": 1}
    await after.end()


async def test_places_are_taken_in_turn(places: Places) -> None:
    order: list[int] = []

    async def send(number: int) -> None:
        async with places.take("chat"):
            order.append(number)

    await asyncio.gather(*(send(number) for number in range(20)))

    assert order == list(range(20))


async def test_the_pace_of_the_targets_used_last_is_remembered(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    await learned(places, ["first", "second", "first", "third"])

    sending = Sending(places)
    await sending.begin(["first"] * 2 + ["second"] * 2 + ["third"] * 2)

    assert sending.begun == {"first": 2, "second": 1, "third": 2}
    await sending.cancel()
