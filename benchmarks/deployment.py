"""A whole deployment against a script that takes the same steps by itself."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import docker

from benchmarks.figures import Spread, milliseconds, ratio
from benchmarks.history import Activity, activities_of
from benchmarks.machine import AS_SHIPPED
from benchmarks.page import Table
from benchmarks.plain_docker import APPLICATION, SOCKET, PlainDocker, open_plain_docker
from benchmarks.script import BareDeployer
from benchmarks.swap_methods import create_application
from benchmarks.traefik import running_traefik
from tests.support.registry import Registry, forget_images
from tests.support.stack import Stack, running_stack

LAYER_BYTES = 20_000_000
PAUSE_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """One deployment by Aweigh; all times are seconds since it was asked for."""

    known: float
    """Until the caller was told of the success."""
    recorded: float
    """Until the success was in the database and in Temporal."""
    activities: Sequence[Activity]
    bodies: dict[str, float]
    """What each step took by its own report."""
    asked: float

    def waiting_before(self, index: int) -> float:
        """From the end of what came before until the activity was started."""
        before = self.activities[index - 1].completed if index else self.asked
        return self.activities[index].started - before

    @property
    def waiting(self) -> float:
        return sum(self.waiting_before(index) for index in range(len(self.activities)))


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A deployment and, right before it, the script's of an image of the same size."""

    aweigh: Deployed
    script: dict[str, float]

    @property
    def script_total(self) -> float:
        return sum(self.script.values())


async def measure(directory: Path, *, quick: bool) -> Sequence[Table]:
    with open_plain_docker() as plain, running_registry(directory, plain) as registry:
        present = Present(plain)
        pulled = Pulled(registry)
        cases = {
            "image present": await pairs(
                directory / "present", plain, present, rounds=4 if quick else 12
            ),
            f"{LAYER_BYTES // 1_000_000} MB pulled": await pairs(
                directory / "pulled", plain, pulled, rounds=3 if quick else 8
            ),
        }
    return [total_table(cases), *(step_table(name, done) for name, done in cases.items())]


class Present:
    """Images that are on the engine already."""

    def __init__(self, plain: PlainDocker) -> None:
        self.repository = plain.repository
        self._plain = plain

    def make(self, tag: str) -> None:
        self._plain.make_version(tag)


class Pulled:
    """Images that are in a registry only, each with a layer that no other has."""

    def __init__(self, registry: Registry) -> None:
        self.repository = f"{registry.host}/{APPLICATION}"
        self._registry = registry

    def make(self, tag: str) -> None:
        client = docker.DockerClient(base_url=SOCKET, version="auto")
        environment = {"NAME": APPLICATION, "ON_SIGTERM": "exit"}
        self._registry.push(client, APPLICATION, tag, environment, layer_bytes=LAYER_BYTES)
        client.close()


@contextmanager
def running_registry(directory: Path, plain: PlainDocker) -> Iterator[Registry]:
    registry = Registry(directory / "registry")
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()
        client = docker.DockerClient(base_url=SOCKET, version="auto")
        forget_images(client, registry.host)
        client.close()


async def pairs(
    directory: Path, plain: PlainDocker, images: Present | Pulled, *, rounds: int
) -> Sequence[Pair]:
    """One after the other, so that a busy moment hits both; the first of each is not counted."""
    done = []
    async with (
        running_stack(directory, **AS_SHIPPED) as stack,
        running_traefik(directory) as traefik,
    ):
        script = BareDeployer(plain, traefik)
        application = await create_application(stack, images.repository)
        for number in range(rounds + 1):
            for tag in (f"script{number}", f"aweigh{number}"):
                await asyncio.to_thread(images.make, tag)
            await asyncio.sleep(PAUSE_SECONDS)
            steps = await asyncio.to_thread(script.deploy, f"{images.repository}:script{number}")
            await asyncio.sleep(PAUSE_SECONDS)
            deployed = await deploy(stack, application, f"aweigh{number}")
            if number:
                done.append(Pair(aweigh=deployed, script=steps))
        await asyncio.to_thread(script.clear)
    return done


async def deploy(stack: Stack, application: dict[str, Any], tag: str) -> Deployed:
    asked = time.time()
    answer = await stack.deploy(application, tag)
    known = time.time()
    deployment = answer.json()
    assert deployment.get("state") == "succeeded", deployment
    client = await stack.temporal()
    activities = await activities_of(client, deployment["workflow"]["id"])
    return Deployed(
        known=known - asked,
        recorded=activities[-1].completed - asked,
        activities=activities,
        bodies={
            step["name"]: _seconds(step) for step in deployment["steps"] if step["finished_at"]
        },
        asked=asked,
    )


def _seconds(step: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(step[key]) for key in ("started_at", "finished_at"))
    return (ended - began).total_seconds()


def total_table(cases: dict[str, Sequence[Pair]]) -> Table:
    return Table(
        title="A whole deployment: Aweigh against a script of the same steps",
        columns=(
            "", "deployments", "Aweigh / script", "Aweigh, ms", "script, ms",
            "between the steps", "until the caller knows, ms",
        ),
        rows=[_total_row(name, done) for name, done in cases.items()],
    )  # fmt: skip


def _total_row(name: str, done: Sequence[Pair]) -> tuple[str, ...]:
    aweigh = [pair.aweigh.recorded for pair in done]
    script = [pair.script_total for pair in done]
    share = Spread.of(pair.aweigh.waiting / pair.aweigh.recorded for pair in done)
    return (
        name,
        str(len(done)),
        ratio(aweigh, script).text(digits=2),
        milliseconds(aweigh),
        milliseconds(script),
        f"{share.text(scale=100)} %",
        milliseconds(pair.aweigh.known - pair.aweigh.recorded for pair in done),
    )


def step_table(name: str, done: Sequence[Pair]) -> Table:
    """What comes before an activity is Temporal's; the API's share stands beside the step's own."""
    first = done[0].aweigh.activities
    return Table(
        title=f"Where the time goes, {name} (ms)",
        columns=("activity", "waiting for it", "it", "of it the step", "the script's"),
        rows=[_step_row(done, index, activity.name) for index, activity in enumerate(first)],
    )


def _step_row(done: Sequence[Pair], index: int, name: str) -> tuple[str, ...]:
    bodies = [pair.aweigh.bodies[name] for pair in done if name in pair.aweigh.bodies]
    script = [pair.script[name] for pair in done if name in pair.script]
    return (
        name.replace("_", " "),
        milliseconds(pair.aweigh.waiting_before(index) for pair in done),
        milliseconds(pair.aweigh.activities[index].run for pair in done),
        milliseconds(bodies) if bodies else "",
        milliseconds(script) if script else "",
    )
