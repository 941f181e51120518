"""`kill -9` of the server worker in a build: it goes on where it was, and tells every line once."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from aweigh.builds.buildpacks.builder import BuildPhase
from tests.support.building import Builds, phases_run, printed
from tests.support.moment import (
    Moment,
    container_appears,
    container_starts,
    file_appears,
    go_on,
    image_appears,
    stand_still,
    step_begins,
    stopping,
)
from tests.support.outside import step as step_of
from tests.support.outside import until

pytestmark = pytest.mark.docker
_LINES = 30
_SLOW = f"import time\nfor i in range({_LINES}): print('line', i, flush=True); time.sleep(0.1)"

When = Callable[[Builds, dict[str, Any]], Moment]


def made(phase: BuildPhase) -> When:
    return lambda builds, deployment: container_appears(builds.phase(deployment, phase))


def started(phase: BuildPhase) -> When:
    return lambda builds, deployment: container_starts(builds.phase(deployment, phase))


def step(name: str) -> When:
    return lambda builds, deployment: step_begins(builds.stack, deployment["id"], name)


def directory(name: str) -> When:
    return lambda builds, deployment: file_appears(builds.place(deployment) / name)


def tagged(builds: Builds, deployment: dict[str, Any]) -> Moment:
    slug, sequence = deployment["application"]["name"], deployment["sequence"]
    return image_appears(f"{builds.stack.prefix}/{slug}:{sequence}")


async def goes_on(
    builds: Builds, name: str, *moments: When, by: signal.Signals = signal.SIGKILL
) -> None:
    """One deployment, in which the server worker is killed at each of these moments."""
    stack, application = builds.stack, await builds.runs(name, _SLOW)
    stand_still(stack, "server")
    deployment = dict((await stack.deploy(application, wait=0)).json())
    with phases_run(builds.engine, builds.phase(deployment, "")) as ran:
        for when in moments:
            async with stopping(stack, when(builds, deployment)) as stopped:
                go_on(stack)
                await stopped()
            stack.kill("server", by=by)
        go_on(stack)
        end = await stack.deployment(deployment["id"], wait=600)

    assert end["state"] == "succeeded", await stack.log(deployment["id"])
    assert ran == list(BuildPhase)  # each once, and one after the other
    lines = await printed(stack, deployment["id"])
    once = [*(f"line {number}" for number in range(_LINES)), "aweigh/procfile 0.1.0"]
    assert [line for line in lines if line in once] == [once[-1], *once[:-1]], lines
    assert not any("cancelled" in line for line in lines), lines
    assert builds.leavings() == []


async def test_a_build_whose_worker_is_killed_goes_on(builds: Builds) -> None:
    await goes_on(builds, "killed-building", started(BuildPhase.BUILDER))


async def test_a_build_whose_worker_is_stopped_goes_on(builds: Builds) -> None:
    await goes_on(builds, "stopped-building", started(BuildPhase.BUILDER), by=signal.SIGTERM)


async def test_a_build_without_a_worker_runs_beside_no_other(builds: Builds) -> None:
    """The next worker takes what was waiting first: the orphan's next attempt comes later."""
    stack = builds.stack
    longer = _SLOW.replace(str(_LINES), str(5 * _LINES))
    first, second = await builds.runs("orphaned", longer), await builds.runs("waiting", _SLOW)

    async def waits_for_a_worker(deployment: dict[str, Any]) -> bool:
        return (await step_of(stack, deployment["id"], "preflight")).get("state") == "succeeded"

    with phases_run(builds.engine, f"{stack.prefix}.build-") as ran:
        orphan = await builds.begun(first, "line 3")
        waiting = dict((await stack.deploy(second, wait=0)).json())
        await until(lambda: waits_for_a_worker(waiting))
        stack.kill("server")
        ends = [await stack.deployment(one["id"], wait=600) for one in (orphan, waiting)]

    assert [end["state"] for end in ends] == ["succeeded"] * 2, ends
    assert "both" not in ran
    assert builds.leavings() == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("fetch", step("fetch")), ("clone", directory("fetching-*")),
        ("cloned", directory("source")),
        ("build", step("build")), ("tagged", tagged),
        *((f"{phase}-made", made(phase)) for phase in BuildPhase),
        *((f"{phase}-started", started(phase)) for phase in BuildPhase),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_a_build_whose_worker_is_killed_at_any_moment_goes_on(
    builds: Builds, name: str, moment: When
) -> None:
    await goes_on(builds, f"killed-{name}", moment)


@pytest.mark.long
async def test_a_build_whose_worker_is_killed_again_and_again_goes_on(builds: Builds) -> None:
    moments = (
        directory("fetching-*"),
        made(BuildPhase.DETECTOR),
        started(BuildPhase.BUILDER),
        tagged,
    )
    await goes_on(builds, "killed-again", *moments)
