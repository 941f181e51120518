"""Builds by Cloud Native Buildpacks against `pack`, and how fast what they print can be read."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import docker

from benchmarks.figures import Spread, milliseconds, ratio
from benchmarks.history import activities_of
from benchmarks.machine import AS_SHIPPED
from benchmarks.pack import VERSION, Pack, pack
from benchmarks.page import Table
from benchmarks.plain_docker import SOCKET
from examples.demo.builder.image import PHASES
from tests.support.builder import lifecycle_beside, small_builder
from tests.support.building import Builds, building
from tests.support.git_server import git_server
from tests.support.images import temporary_repository
from tests.support.languages import language_builder
from tests.support.samples import SAMPLES
from tests.support.stack import running_stack

SAMPLE: Final = SAMPLES["python"]
LINES: Final = 200_000
_LINE: Final = "y" * 92
_PRINTS: Final = f"for number in range({LINES}): print(f'{{number:06}}', '{_LINE}')"
_FIRST: Final = f"{0:06} {_LINE}"
_LAST: Final = f"{LINES - 1:06} {_LINE}"
_LOOK_SECONDS: Final = 0.02


@dataclass(frozen=True)
class Trust:
    """Whether the builder's own lifecycle may use the engine: in one container, with pack."""

    name: str
    builder: str
    options: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Seconds that Aweigh and what it is compared with took, right after one another."""

    aweigh: float
    other: float


async def measure(directory: Path, *, quick: bool) -> Sequence[Table]:
    client = docker.DockerClient(base_url=SOCKET, version="auto")
    try:
        async with opened(directory, client) as (builds, trusts):
            program = pack(directory / "pack", client.api)
            rounds = 2 if quick else 8
            pairs = {
                trust.name: await _pairs(directory, builds, program, trust, rounds)
                for trust in trusts
            }
            lines = [await _lines(builds, number) for number in range(2 if quick else 5)]
    finally:
        client.close()
    return [_build_table(pairs), _line_table(lines)]


@asynccontextmanager
async def opened(
    directory: Path, client: docker.DockerClient
) -> AsyncIterator[tuple[Builds, Sequence[Trust]]]:
    """A stack that builds, and one builder under two names, of which it trusts one."""
    with (
        temporary_repository(client) as small,
        temporary_repository(client) as strange,
        temporary_repository(client) as trusted,
        git_server(directory / "git") as git,
    ):
        beside = lifecycle_beside(small_builder(client, small))
        builder = language_builder(client, strange, PHASES)
        client.images.get(builder).tag(trusted, "builder")
        async with running_stack(
            directory / "stack",
            **building(f"{small}:builder"),
            **AS_SHIPPED,
            AWEIGH_TRUSTED_BUILDERS=json.dumps([trusted]),
        ) as stack:
            yield (
                Builds(stack, git, f"{small}:builder", client),
                (
                    Trust(
                        "untrusted", builder, ("--trust-builder=false", "--lifecycle-image", beside)
                    ),
                    Trust("trusted", f"{trusted}:builder", ("--trust-builder",)),
                ),
            )


async def _pairs(
    directory: Path, builds: Builds, program: Pack, trust: Trust, rounds: int
) -> Mapping[str, Sequence[Pair]]:
    """Of each round a cold build and one by its caches; those of the first are not counted."""
    found: dict[str, list[Pair]] = {"cold": [], "cached": []}
    for number in range(rounds + 1):
        name = f"{trust.name}-{number}"
        source = directory / name
        _write(source, SAMPLE.files)
        builds.git.push(name, SAMPLE.files)
        given = builds.source(name, builder=trust.builder)
        application = await builds.follow(name, source=given, stop_grace=1)
        with program.forgetting(f"bench-{name}") as image:
            for state, change in (("cold", {}), ("cached", SAMPLE.second)):
                _write(source, change)
                builds.git.push(name, change)
                options = ("--builder", trust.builder, *trust.options)
                theirs = await asyncio.to_thread(program.build, image, source, *options)
                pair = Pair(aweigh=await _built(builds, application), other=theirs)
                if number:
                    found[state].append(pair)
        await builds.stack.call("DELETE", f"/v1/applications/{application['id']}")
        await builds.stack.until_gone(application)
    return found


def _write(directory: Path, files: Mapping[str, str | bytes]) -> None:
    for path, content in files.items():
        place = directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)


async def _built(builds: Builds, application: Mapping[str, Any]) -> float:
    """Seconds that the build of its next deployment took, by Temporal's clock."""
    deployment = (await builds.stack.deploy(application)).json()
    assert deployment.get("state") == "succeeded", deployment
    client = await builds.stack.temporal()
    activities = await activities_of(client, deployment["workflow"]["id"])
    return next(one.run for one in activities if one.name == "build")


async def _lines(builds: Builds, number: int) -> Pair:
    """From the first line until all can be read: over HTTP, and from the engine itself."""
    theirs = await asyncio.to_thread(_follow, builds.engine, builds.builder)
    application = await builds.runs(f"lines-{number}", _PRINTS)
    deployment = (await builds.stack.deploy(application, wait=0)).json()
    path = f"/v1/deployments/{deployment['id']}/log"
    while True:
        end = await builds.stack.call("GET", path, headers={"Range": "bytes=-4000"})
        if _LAST in end.text:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    ended = datetime.now(UTC)
    log = await builds.stack.log(deployment["id"])
    [first] = [line for line in log.splitlines() if line.endswith(_FIRST)]
    began = datetime.fromisoformat(first.split()[0])
    await builds.stack.deployment(deployment["id"], wait=60)
    return Pair(aweigh=(ended - began).total_seconds(), other=theirs)


def _follow(client: docker.DockerClient, image: str) -> float:
    container = client.containers.run(
        image, entrypoint=["/usr/local/bin/python", "-I", "-S", "-B", "-c", _PRINTS], detach=True,
        log_config=docker.types.LogConfig(type="json-file", config={}),
    )  # fmt: skip
    try:
        output = container.logs(stream=True, follow=True)
        next(output)
        began = time.monotonic()
        for _ in output:
            pass
        return time.monotonic() - began
    finally:
        container.remove(force=True)


def _build_table(found: Mapping[str, Mapping[str, Sequence[Pair]]]) -> Table:
    return Table(
        title=f"A build of a small Python application: Aweigh against pack {VERSION}",
        columns=("builder", "caches", "builds", "Aweigh / pack", "Aweigh, ms", "pack, ms"),
        rows=[
            (trust, state, str(len(pairs)), *_compared(pairs))
            for trust, states in found.items() for state, pairs in states.items()
        ],
    )  # fmt: skip


def _compared(pairs: Sequence[Pair]) -> tuple[str, ...]:
    aweigh, theirs = [pair.aweigh for pair in pairs], [pair.other for pair in pairs]
    return ratio(aweigh, theirs).text(digits=2), milliseconds(aweigh), milliseconds(theirs)


def _line_table(found: Sequence[Pair]) -> Table:
    return Table(
        title=f"{LINES} lines of 100 bytes that a build prints",
        columns=("rounds", "time, Aweigh / engine", "Aweigh, lines/s", "engine, lines/s"),
        rows=[(
            str(len(found)),
            ratio([pair.aweigh for pair in found], [pair.other for pair in found]).text(digits=2),
            Spread.of(LINES / pair.aweigh for pair in found).text(),
            Spread.of(LINES / pair.other for pair in found).text(),
        )],
    )  # fmt: skip
