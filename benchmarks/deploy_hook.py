"""How long the deploy hook takes to answer, against one bare signal-with-start to Temporal."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client

from aweigh.deployments.workflow_ids import lane_id
from benchmarks.figures import Spread, milliseconds, percentile, ratio
from benchmarks.machine import AS_SHIPPED
from benchmarks.page import Table
from tests.support.stack import Stack, running_stack
from workflows.lane import ApplicationLane, LaneInput, Submission

RATE = 50
CROWD_RATE = 200
CROWD_SECONDS = 5
APPLICATIONS = 50
#: Nobody works on it: what is measured is the handing over alone.
UNATTENDED_QUEUE = "bench"
END_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Round:
    """Seconds of every call, each from the moment it was due."""

    hook: Sequence[float]
    signal: Sequence[float]


async def measure(directory: Path, *, quick: bool) -> Sequence[Table]:
    rounds, seconds = (1, 5) if quick else (3, 20)
    done = []
    async with running_stack(directory, **AS_SHIPPED) as stack:
        client = await stack.temporal()
        applications = [await create_application(stack, number) for number in range(APPLICATIONS)]
        for number in range(rounds):
            signal = await open_loop(seconds, Signals(client, number).send)
            hooks = HookCalls(stack, applications)
            hook = await open_loop(seconds, hooks.call)
            await hooks.until_all_ended()
            done.append(Round(hook=hook, signal=signal))
        crowd = HookCalls(stack, applications)
        answers = await open_loop(CROWD_SECONDS, crowd.call, CROWD_RATE)
    return [table(done), crowd_table(answers, crowd.refused)]


async def create_application(stack: Stack, number: int) -> dict[str, Any]:
    """Its deployments fail at their pull, so that the engine takes no part in the figures."""
    image = {"type": "image", "image": "bench/absent", "tag": "v0", "pull": "never"}
    return await stack.create(f"hook-{number}", image)


async def open_loop(
    seconds: float, call: Callable[[int], Awaitable[None]], rate: int = RATE
) -> Sequence[float]:
    """Call at a fixed rate, whether or not the earlier calls were answered."""
    began = time.monotonic()
    calls = []
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(due - time.monotonic(), 0))
        calls.append(asyncio.create_task(_timed(call, number, due)))
    return await asyncio.gather(*calls)


async def _timed(call: Callable[[int], Awaitable[None]], number: int, due: float) -> float:
    await call(number)
    return time.monotonic() - due


class HookCalls:
    """The deploy hooks of all applications in turn."""

    def __init__(self, stack: Stack, applications: Sequence[dict[str, Any]]) -> None:
        self._stack = stack
        self._applications = applications
        self._accepted: list[str] = []
        self.refused = 0

    async def call(self, number: int) -> None:
        application = self._applications[number % len(self._applications)]
        answer = await self._stack.client.post(
            f"/v1/events/{application['deploy_hook']}",
            params={"tag": f"v{number}"},
            headers={"X-Deploy-Secret": application["deploy_secret"]},
        )
        if answer.status_code == 503 and answer.headers["retry-after"]:
            self.refused += 1
            return
        assert answer.status_code == 202, answer.text
        self._accepted.append(answer.json()["id"])

    async def until_all_ended(self) -> None:
        """Accepted means done or told; and the next round begins with nothing under way."""
        async with asyncio.timeout(END_SECONDS):
            for deployment in self._accepted:
                while (await self._stack.deployment(deployment, wait=60))["state"] != "failed":
                    pass


class Signals:
    """What the relay does for each deployment, with the same content."""

    def __init__(self, client: Client, number: int) -> None:
        self._client = client
        self._round = number

    async def send(self, number: int) -> None:
        slug = f"hook-{self._round}x{number % APPLICATIONS}"
        await self._client.start_workflow(
            ApplicationLane.run,
            LaneInput(),
            id=lane_id(slug),
            task_queue=UNATTENDED_QUEUE,
            start_signal="submit",
            start_signal_args=[Submission(f"dep_bench{number}")],
            static_summary=f"the lane of {slug}",
        )


def table(done: Sequence[Round]) -> Table:
    rows = []
    for name, share in (("p50", 0.50), ("p99", 0.99)):
        hook = [percentile(one.hook, share) for one in done]
        signal = [percentile(one.signal, share) for one in done]
        against = ratio(hook, signal).text(digits=2)
        rows.append((name, against, milliseconds(hook), milliseconds(signal)))
    accepted = Spread.of(len(one.hook) for one in done)
    return Table(
        title=f"The hook's answer at {RATE} calls a second, {accepted.median:.0f} calls a round",
        columns=("", "hook / signal-with-start", "hook, ms", "signal-with-start, ms"),
        rows=rows,
    )


def crowd_table(answers: Sequence[float], refused: int) -> Table:
    """What becomes of more calls than can be taken."""
    row = (
        str(len(answers) - refused), str(refused), f"{percentile(answers, 0.5) * 1000:.0f}",
        f"{percentile(answers, 0.99) * 1000:.0f}", f"{max(answers) * 1000:.0f}",
    )  # fmt: skip
    return Table(
        title=f"The hook's answer at {CROWD_RATE} calls a second for {CROWD_SECONDS} s",
        columns=("taken (202)", "refused (503)", "p50, ms", "p99, ms", "slowest, ms"),
        rows=[row],
    )
