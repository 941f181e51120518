"""The health gate: what each check lets through, and what it says of what it refuses."""

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from aweigh.deployments.deployment import Reason, StepName
from aweigh.deployments.release import Release
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.container import Container
from aweigh.servers.running_step import RunningStep
from aweigh.testing.engine import Program
from tests.support.fake_parts import FakeParts, image_of, log_of

PASSWORD = "correct-horse-battery"
HTTP = {"type": "http", "path": "/up"}


@pytest.fixture(autouse=True)
def _quick_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the gate's clock, a second passes each time that it looks."""
    seconds = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: float(next(seconds)))
    monkeypatch.setattr("aweigh.health.gate.time", clock)
    for pause in ("_FIRST_PAUSE", "_LONGEST_PAUSE"):
        monkeypatch.setattr(f"aweigh.health.gate.{pause}", 0)
    monkeypatch.setattr("aweigh.health.gate._LOOK_SECONDS", 0.01)
    monkeypatch.setattr("aweigh.health.exit_watch._NEXT_EXIT_SECONDS", 0)


async def started(parts: FakeParts, release: Release) -> tuple[RunningStep, list[Container]]:
    return parts.step(release, StepName.HEALTH), await parts.created(release)


def listen(parts: FakeParts, containers: list[Container], status: int = 200) -> None:
    for one in containers:
        address = parts.installation.names.own_address(one.addresses)
        parts.probe.listening[address, 8000] = status


async def passed(parts: FakeParts, step: RunningStep, containers: list[Container]) -> str:
    return await parts.gate.pass_all(step, image_of(step.release), containers)


async def refused(parts: FakeParts, release: Release) -> tuple[StepFailed, RunningStep]:
    """The failure of a release whose containers run, or ran."""
    step, containers = await started(parts, release)
    with pytest.raises(StepFailed) as failure:
        await passed(parts, step, containers)
    return failure.value, step


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (None, "tcp: 10.201.0.130:8000 accepts connections"),
        (HTTP, "http: GET http://10.201.0.130:8000/up was answered 200"),
    ],
)
async def test_container_that_answers_passes(
    parts: FakeParts, check: dict[str, Any] | None, said: str
) -> None:
    step, containers = await started(parts, parts.release(1, health_check=check))
    listen(parts, containers)

    assert await passed(parts, step, containers) == said


async def test_container_that_answers_late_passes(parts: FakeParts) -> None:
    step, containers = await started(parts, parts.release(1, health_check=HTTP))
    listen(parts, containers, status=503)

    passing = asyncio.create_task(passed(parts, step, containers))
    while parts.probe.asked < 3:
        await asyncio.sleep(0)
    assert not passing.done()
    listen(parts, containers)

    assert (await passing).endswith("was answered 200")


async def test_container_that_does_not_answer_in_time_is_refused_with_what_it_answered(
    parts: FakeParts,
) -> None:
    parts.engine.programs["sha256:1"] = Program(output=f"connects with {PASSWORD}\n")
    release = parts.release(1, health_check={**HTTP, "deadline": 30}, env={"PASSWORD": PASSWORD})
    step, containers = await started(parts, release)
    listen(parts, containers, status=503)

    with pytest.raises(StepFailed) as failure:
        await passed(parts, step, containers)

    assert failure.value.reason is Reason.UNHEALTHY
    assert failure.value.message.startswith(
        "aweigh-shop-1-0 was not healthy within 30 s: "
        "GET http://10.201.0.130:8000/up was answered 503. "
    )
    assert step.evidence == "connects with **********"
    assert log_of(step) == "last lines of aweigh-shop-1-0:\nconnects with **********"


async def test_container_that_stays_up_passes_the_uptime_check(parts: FakeParts) -> None:
    check = {"type": "uptime", "seconds": 5}
    step, containers = await started(parts, parts.release(1, health_check=check))

    assert (await passed(parts, step, containers)).startswith("uptime: up for ")


async def test_images_own_check_passes_what_it_finds_healthy(parts: FakeParts) -> None:
    parts.engine.programs["sha256:1"] = Program(health="healthy", health_output="all well")
    check = {"type": "image"}
    step, containers = await started(parts, parts.release(1, health_check=check))

    assert await passed(parts, step, containers) == "image: HEALTHCHECK is healthy all well"


async def test_images_own_check_shows_no_secret(parts: FakeParts) -> None:
    parts.engine.programs["sha256:1"] = Program(
        health="unhealthy", health_output=f"no route to {PASSWORD}@db"
    )
    release = parts.release(1, health_check={"type": "image"}, env={"PASSWORD": PASSWORD})

    failure, _ = await refused(parts, release)

    assert failure.reason is Reason.UNHEALTHY
    assert "HEALTHCHECK is unhealthy no route to **********@db" in failure.message
    assert PASSWORD not in failure.message


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"health_check": {"type": "image"}}, "The image has no HEALTHCHECK"),
        ({"health_check": HTTP, "port": None}, "The http health check needs a port"),
    ],
)
async def test_check_that_cannot_be_asked_is_refused_at_once(
    parts: FakeParts, settings: dict[str, Any], said: str
) -> None:
    failure, _ = await refused(parts, parts.release(1, **settings))

    assert failure.reason is Reason.UNHEALTHY
    assert failure.message.startswith(said)
    assert parts.probe.asked == 0


@pytest.mark.parametrize(
    ("program", "settings", "said"),
    [
        (Program(exit_code=3), {}, "exited with code 3 before it was healthy"),
        (
            Program(exit_code=137, out_of_memory=True),
            {"resources": {"memory": "64m"}},
            "exited with code 137 (out of memory: it exceeded its limit of 64m)",
        ),
        (Program(exit_code=137), {}, "(killed, most likely out of memory: it exceeded the server"),
    ],
    ids=["exit", "out of memory", "killed"],
)
async def test_container_that_exits_is_refused_with_how_it_ended(
    parts: FakeParts, program: Program, settings: dict[str, Any], said: str
) -> None:
    parts.engine.programs["sha256:1"] = program

    failure, _ = await refused(parts, parts.release(1, **settings))

    assert failure.reason is Reason.START_FAILED
    assert failure.message.startswith("aweigh-shop-1-0 ")
    assert said in failure.message


async def test_last_lines_of_container_that_exits_are_masked(parts: FakeParts) -> None:
    lines = "\n".join([*map(str, range(30)), f"cannot open {PASSWORD}"])
    parts.engine.programs["sha256:1"] = Program(exit_code=1, output=lines)

    failure, step = await refused(parts, parts.release(1, env={"PASSWORD": PASSWORD}))

    assert PASSWORD not in f"{failure.message}{step.evidence}{log_of(step)}"
    assert step.evidence.splitlines() == [*map(str, range(21, 30)), "cannot open **********"]
    assert log_of(step).splitlines()[1:] == [*map(str, range(11, 30)), "cannot open **********"]


async def test_program_for_another_platform_is_told_from_one_that_fails(parts: FakeParts) -> None:
    words = "exec /app: exec format error\n"
    parts.engine.programs["sha256:1"] = Program(exit_code=255, output=words)

    failure, _ = await refused(parts, parts.release(1))

    assert failure.reason is Reason.IMAGE_UNSUPPORTED


async def test_container_that_the_engine_started_again_is_refused(parts: FakeParts) -> None:
    step, containers = await started(parts, parts.release(1))
    parts.engine.change("aweigh-shop-1-0", restarts=1)
    listen(parts, containers)

    with pytest.raises(StepFailed, match="exited and was restarted by the engine"):
        await passed(parts, step, containers)


async def test_container_that_is_removed_meanwhile_is_refused(parts: FakeParts) -> None:
    step, containers = await started(parts, parts.release(1))
    await parts.engine.remove("aweigh-shop-1-0")

    with pytest.raises(StepFailed, match="shop-1-0 was removed by another program") as failure:
        await passed(parts, step, containers)

    assert failure.value.reason is Reason.START_FAILED


async def test_release_passes_when_each_of_its_replicas_does(parts: FakeParts) -> None:
    step, containers = await started(parts, parts.release(1, replicas=2))
    listen(parts, containers[:1])

    with pytest.raises(StepFailed, match="aweigh-shop-1-1 was not healthy within 60 s"):
        await passed(parts, step, containers)
    listen(parts, containers)

    assert (await passed(parts, step, containers)).endswith("accepts connections (2 replicas)")
