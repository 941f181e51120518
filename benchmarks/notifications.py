"""Whether a channel that hangs makes other channels, or deployments, slower."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.deployment import Present, deploy
from benchmarks.figures import Spread, milliseconds, percentile, ratio
from benchmarks.machine import AS_SHIPPED
from benchmarks.page import Table
from benchmarks.plain_docker import open_plain_docker
from benchmarks.swap_methods import create_application
from tests.support.backlog import Backlog, backlog
from tests.support.receivers import Answer, Misbehaviour, Receiver, Request, receiver
from tests.support.stack import Stack, running_stack

CHANNELS = 4
EVENTS = 1_000
#: Of each case, in each round.
DEPLOYMENTS = 10
END_SECONDS = 3600


@dataclass
class Count:
    """The messages that a receiver got, each counted once."""

    receiver: Receiver
    ids: set[str] = field(default_factory=set)

    def take(self, request: Request) -> Answer:
        self.ids.add(request.headers["webhook-id"])
        self.receiver.requests.clear()  # thousands of bodies are of no use
        return Answer()


@dataclass(frozen=True, kw_only=True)
class Round:
    """One stack, with a channel that hangs or without. Seconds, except for `rate`."""

    idle: Sequence[float]
    """Deployments before there was any event."""
    meanwhile: Sequence[float]
    """Deployments while events were delivered."""
    rate: float
    """Deliveries a second after that, until the channels that answer had all events."""
    waiting: Sequence[float]
    """Deployments while only the deliveries to the channel that hangs wait, if there is one."""
    single: Sequence[float]
    """From writing one event until each channel that answers had it, at the same time."""


async def measure(directory: Path, *, quick: bool, events: int = EVENTS) -> Sequence[Table]:
    alone: list[Round] = []
    beside: list[Round] = []
    with open_plain_docker() as plain:
        images = Present(plain)
        for tag in Deployments.TAGS:
            await asyncio.to_thread(images.make, tag)
        for number in range(1 if quick else 2):
            for hanging, done in ((False, alone), (True, beside)):
                place = directory / f"{number}{hanging}"
                done.append(await _round(place, images, events, hanging=hanging))
    return [channel_table(alone, beside, events), deployment_table(alone, beside)]


async def _round(directory: Path, images: Present, events: int, *, hanging: bool) -> Round:
    settings = {**AS_SHIPPED, "AWEIGH_PRIVATE_TARGETS": '["127.0.0.0/8"]'}
    async with running_stack(directory, **settings) as stack, AsyncExitStack() as opened:
        deployments = Deployments(stack, await create_application(stack, images.repository))
        source = {"type": "image", "image": "bench/absent", "tag": "v0", "pull": "never"}
        told = await stack.create("told", source)
        counts = [await opened.enter_async_context(_channel(stack, n)) for n in range(CHANNELS)]
        if hanging:
            await opened.enter_async_context(_hanging_channel(stack))
        written = await opened.enter_async_context(backlog(stack.data, told["id"]))
        await deployments.next()  # the first one makes what later ones find
        idle = await deployments.several()
        await written.add(events)
        meanwhile = await deployments.several()
        rate = await _rate(counts, events)
        waiting = await deployments.several()
        single = [await _single(written, counts, events + one) for one in range(1, 21)]
    return Round(idle=idle, meanwhile=meanwhile, rate=rate, waiting=waiting, single=single)


@asynccontextmanager
async def _channel(stack: Stack, number: int) -> AsyncIterator[Count]:
    async with receiver() as made:
        count = Count(made)
        made.behave = count.take
        await _create_channel(stack, f"answers-{number}", made)
        yield count


@asynccontextmanager
async def _hanging_channel(stack: Stack) -> AsyncIterator[None]:
    async with receiver(lambda request: Misbehaviour.SILENT) as made:
        await _create_channel(stack, "hangs", made)
        yield


async def _create_channel(stack: Stack, name: str, to: Receiver) -> None:
    body = {"name": name, "kind": "webhook", "url": to.url, "applications": ["told"]}
    answer = await stack.call("POST", "/v1/channels", json=body)
    assert answer.status_code == 201, answer.text


async def _until(counts: Sequence[Count], number: int) -> None:
    async with asyncio.timeout(END_SECONDS):
        while any(len(one.ids) < number for one in counts):
            await asyncio.sleep(0.01)


async def _rate(counts: Sequence[Count], events: int) -> float:
    began = time.monotonic()
    before = sum(len(one.ids) for one in counts)
    await _until(counts, events)
    return (events * len(counts) - before) / (time.monotonic() - began)


async def _single(written: Backlog, counts: Sequence[Count], number: int) -> float:
    began = time.monotonic()
    await written.add(1)
    await _until(counts, number)
    return time.monotonic() - began


class Deployments:
    """One application, deployed again and again, with two versions in turn."""

    TAGS = ("v1", "v2")

    def __init__(self, stack: Stack, application: dict[str, Any]) -> None:
        self._stack = stack
        self._application = application
        self._number = 0

    async def next(self) -> float:
        self._number += 1
        tag = self.TAGS[self._number % len(self.TAGS)]
        return (await deploy(self._stack, self._application, tag)).recorded

    async def several(self) -> list[float]:
        return [await self.next() for _ in range(DEPLOYMENTS)]


def channel_table(alone: Sequence[Round], beside: Sequence[Round], events: int) -> Table:
    """What four channels get, beside one that hangs and without it."""
    rates = ([one.rate for one in rounds] for rounds in (beside, alone))
    beside_rate, alone_rate = rates
    rows = [
        (
            "deliveries a second", ratio(beside_rate, alone_rate).text(digits=2),
            Spread.of(beside_rate).text(), Spread.of(alone_rate).text(),
        )
    ]  # fmt: skip
    for name, share in (("p50", 0.50), ("p90", 0.90)):
        with_it, without = (
            [percentile(one.single, share) for one in rounds] for rounds in (beside, alone)
        )
        against = ratio(with_it, without).text(digits=2)
        rows.append(
            (f"one event, ms, {name}", against, milliseconds(with_it), milliseconds(without))
        )
    return Table(
        title=f"{events} events to {CHANNELS} channels, beside a fifth that never answers",
        columns=("", "beside it / alone", "beside it", "alone"),
        rows=rows,
    )


def deployment_table(alone: Sequence[Round], beside: Sequence[Round]) -> Table:
    """What deployments take while notifications are delivered, or wait."""
    cases = (
        (f"{CHANNELS} channels are told", [(one.meanwhile, one.idle) for one in alone]),
        ("the same, a fifth hangs", [(one.meanwhile, one.idle) for one in beside]),
        ("all is delivered", [(one.waiting, one.idle) for one in alone]),
        ("only the one that hangs waits", [(one.waiting, one.idle) for one in beside]),
    )
    rows = []
    for name, pairs in cases:
        against = ratio(*zip(*((_middle(one), _middle(idle)) for one, idle in pairs), strict=True))
        every = [seconds for one, _ in pairs for seconds in one]
        idle = [seconds for _, before in pairs for seconds in before]
        row = (name, str(len(every)), against.text(digits=2), milliseconds(every))
        rows.append((*row, milliseconds(idle)))
    return Table(
        title="A deployment while notifications are delivered, or wait",
        columns=("meanwhile", "deployments", "against before", "ms", "before, ms"),
        rows=rows,
    )


def _middle(seconds: Sequence[float]) -> float:
    return Spread.of(seconds).median
