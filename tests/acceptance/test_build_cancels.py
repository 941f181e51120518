"""A build is cancelled in each of its phases; how long it takes until nothing of it is there."""

import time
from typing import Any

import pytest

from aweigh.builds.buildpacks.builder import BuildPhase
from tests.support.building import SLEEPS, Builds
from tests.support.moment import container_starts, file_appears, go_on, stand_still, stopping
from tests.support.outside import until

pytestmark = [pytest.mark.docker, pytest.mark.long]


@pytest.mark.parametrize("when", ["fetch", *BuildPhase])
async def test_cancelled_means_gone(builds: Builds, when: str) -> None:
    stack, application = builds.stack, await builds.runs(f"cancelled-{when}", SLEEPS)
    if when == BuildPhase.EXPORTER:
        builds.git.push(f"cancelled-{when}", {"build.py": None})
    stand_still(stack, "server")
    deployment = (await stack.deploy(application, wait=0)).json()
    clone = builds.place(deployment) / "fetching-*"
    container = builds.phase(deployment, when)
    moment = file_appears(clone) if when == "fetch" else container_starts(container)
    async with stopping(stack, moment) as stopped:
        go_on(stack)
        await stopped()

    go_on(stack)
    print(f"cancelled in {when}: {await _cancel(builds, deployment)}")  # noqa: T201


@pytest.mark.parametrize("tick", range(1, 11))
async def test_a_running_build_is_gone_whenever_it_is_cancelled(builds: Builds, tick: int) -> None:
    script = "import time\nfor i in range(3000): print('tick', i, flush=True); time.sleep(0.1)"
    application = await builds.runs(f"ticks-{tick}", script)
    deployment = await builds.begun(application, f"tick {tick}")
    print(f"cancelled as it ran: {await _cancel(builds, deployment)}")  # noqa: T201


async def _cancel(builds: Builds, deployment: dict[str, Any]) -> str:
    """Cancel it; the seconds until nothing of it was there, and until that was told."""
    began = time.monotonic()
    answer = await builds.stack.call("POST", f"/v1/deployments/{deployment['id']}/cancel")
    assert answer.status_code == 202

    async def it_is_gone() -> bool:
        return builds.leavings() == []

    async def it_is_told() -> bool:
        return bool((await builds.stack.deployment(deployment["id"]))["state"] == "failed")

    await until(it_is_gone)
    gone = time.monotonic() - began
    await until(it_is_told)
    told = time.monotonic() - began
    end = await builds.stack.deployment(deployment["id"])
    assert (end["state"], end["reason"]) == ("failed", "cancelled")
    assert builds.leavings() == []
    return f"gone after {gone:.2f} s, told after {told:.2f} s"
