"""The switch: what is live after it, however the new generation answers."""

from typing import Any

import pytest

from aweigh.deployments.deployment import Reason
from aweigh.deployments.release import Release
from aweigh.deployments.step_errors import (
    ProxyImageGone,
    StepFailed,
    StepUnavailable,
)
from aweigh.routing.route import Generation
from aweigh.servers.running_step import RunningStep
from tests.support.fake_parts import FakeParts, image_of, log_of


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look decides."""
    for name in ("_VERIFY_SECONDS", "_SILENCE_SECONDS", "_POLL"):
        monkeypatch.setattr(f"aweigh.routing.verification.{name}", 0)


async def made(parts: FakeParts, release: Release) -> tuple[Generation, RunningStep]:
    """The release's containers, as the generation that is to become live."""
    replicas = await parts.created(release)
    generation = parts.replicas.generation(release, image_of(release), replicas)
    return generation, parts.step(release)


@pytest.fixture
async def old(parts: FakeParts) -> Release:
    """The release that is live before."""
    await parts.installed_proxy()
    release = parts.routed(1)
    await parts.made_live(release)
    return release


async def test_generation_that_answers_is_live_for_good(parts: FakeParts, old: Release) -> None:
    generation, step = await made(parts, new := parts.routed(2))

    await parts.switch.switch_to(generation, step)

    assert parts.live_sequence == 2
    assert parts.live.is_verified(new)
    assert step.detail == "the proxy answers with generation 2"
    live = parts.route_files.live("shop")
    assert live
    assert not parts.route_files.has_kept(live)  # there is no way back


async def test_generation_that_does_not_answer_is_taken_back(
    parts: FakeParts, old: Release
) -> None:
    generation, step = await made(parts, new := parts.routed(2))
    parts.traefik.statuses["shop"] = 502

    with pytest.raises(StepFailed, match="the answer through it was 502") as failure:
        await parts.switch.switch_to(generation, step)

    assert failure.value.reason is Reason.VERIFY_FAILED
    assert parts.live_sequence == 1
    assert parts.live.is_verified(old)
    assert not parts.live.is_verified(new)
    assert log_of(step) == "switched back; live is 1"


async def test_first_generation_that_does_not_answer_leaves_no_route(parts: FakeParts) -> None:
    await parts.installed_proxy()
    generation, step = await made(parts, parts.routed(1))
    parts.traefik.slow.add("shop")

    with pytest.raises(StepFailed, match="the application did not answer / in time"):
        await parts.switch.switch_to(generation, step)

    assert parts.live_sequence is None
    assert not await parts.traefik.knows(generation)


async def test_proxy_that_does_not_follow_the_file_is_not_believed(
    parts: FakeParts, old: Release
) -> None:
    generation, step = await made(parts, parts.routed(2))
    parts.traefik.stop_following()

    with pytest.raises(StepFailed, match="its router is not enabled"):
        await parts.switch.switch_to(generation, step)

    assert parts.live_sequence == 1


async def test_silent_proxy_takes_nothing_back(
    parts: FakeParts, old: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation, step = await made(parts, new := parts.routed(2))

    async def installed() -> None:
        pass

    monkeypatch.setattr(parts.proxy, "ensure_from_local_image", installed)
    parts.traefik.silent = True

    with pytest.raises(StepUnavailable) as failure:
        await parts.switch.switch_to(generation, step)

    assert failure.value.reason is Reason.VERIFY_FAILED
    assert parts.live_sequence == 2
    assert not parts.live.is_verified(new)


async def test_generation_that_was_verified_before_goes_forward_only(
    parts: FakeParts, old: Release
) -> None:
    new = parts.routed(2)
    await parts.made_live(new)
    generation, step = await made(parts, new)
    parts.traefik.statuses["shop"] = 502

    await parts.switch.switch_to(generation, step)

    assert parts.live_sequence == 2
    assert step.detail.startswith("already live before this attempt, but: ")


async def test_switch_is_not_taken_back_to_containers_that_were_stopped(
    parts: FakeParts, old: Release
) -> None:
    generation, step = await made(parts, parts.routed(2, strategy="recreate"))
    parts.traefik.statuses["shop"] = 502

    with pytest.raises(StepFailed):
        await parts.switch.switch_to(generation, step)

    assert (await parts.statuses())["aweigh-shop-1-0"] == "exited"
    assert parts.live_sequence == 2  # until the undo has started them


async def test_switch_without_a_proxy_or_its_image_changes_nothing(parts: FakeParts) -> None:
    generation, step = await made(parts, parts.routed(1))

    with pytest.raises(ProxyImageGone):
        await parts.switch.switch_to(generation, step)

    assert parts.live_sequence is None


PORTS = [{"host": 5432, "container": 5432}]


async def test_application_without_domains_is_live_when_it_runs(parts: FakeParts) -> None:
    generation, step = await made(parts, release := parts.release(1, replicas=2))

    await parts.switch.switch_to(generation, step)

    assert parts.live.is_verified(release)
    assert step.detail == "2 running"


@pytest.mark.parametrize(
    ("settings", "exits", "said"),
    [
        ({}, True, "aweigh-shop-1-0 is exited."),
        ({"ports": PORTS}, False, "Nothing listens on container port 5432"),
    ],
)
async def test_application_without_domains_that_does_not_work_is_taken_back(
    parts: FakeParts, settings: dict[str, Any], exits: bool, said: str
) -> None:
    generation, step = await made(parts, parts.release(1, **settings))
    if exits:
        parts.engine.exit("aweigh-shop-1-0", 1)

    with pytest.raises(StepFailed) as failure:
        await parts.switch.switch_to(generation, step)

    assert failure.value.reason is Reason.VERIFY_FAILED
    assert failure.value.message.startswith(said)
    assert parts.live_sequence is None


async def test_published_port_on_which_the_container_listens_is_enough(parts: FakeParts) -> None:
    generation, step = await made(parts, parts.release(1, ports=PORTS))
    parts.probe.listening[generation.addresses[0], 5432] = 200

    await parts.switch.switch_to(generation, step)

    assert parts.live_sequence == 1
