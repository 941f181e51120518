"""Undo: a deployment that is not live leaves nothing behind, and what it stopped runs again."""

import pytest

from aweigh.deployments.deployment import StepName
from aweigh.deployments.release import Release
from aweigh.engine.container_spec import ContainerSpec
from aweigh.engine.labels import (
    APPLICATION,
    DEPLOYMENT,
    INSTANCE,
    ROLE,
)
from aweigh.servers.running_step import RunningStep
from aweigh.testing.engine import Program
from aweigh.upkeep.undo import Undo
from tests.support.fake_parts import APPLICATION as SHOP
from tests.support.fake_parts import FakeParts, image_of


@pytest.fixture
def undo(parts: FakeParts) -> Undo:
    return Undo(parts.live, parts.view, parts.drain, parts.containers, parts.build_containers)


@pytest.fixture
async def old(parts: FakeParts) -> Release:
    """The release that is live before."""
    release = parts.routed(1)
    await parts.made_live(release)
    return release


async def taken_away(parts: FakeParts, undo: Undo, release: Release) -> RunningStep:
    step = parts.step(release, StepName.UNDO)
    await undo.revert(step)
    return step


async def test_release_that_answers_is_live_though_no_step_said_so(
    parts: FakeParts, undo: Undo, old: Release
) -> None:
    new = parts.routed(2)
    await parts.made_live(new, verified=False)

    assert await undo.is_live(new)
    assert parts.live.is_verified(new)
    parts.traefik.statuses["shop"] = 502  # from now on that is no reason to undo it
    assert await undo.is_live(new)


async def test_release_that_does_not_answer_is_not_live(
    parts: FakeParts, undo: Undo, old: Release
) -> None:
    new = parts.routed(2)
    await parts.made_live(new, verified=False)
    parts.traefik.statuses["shop"] = 502

    assert not await undo.is_live(new)
    assert not parts.live.is_verified(new)


async def test_release_without_domains_is_live_when_its_replicas_run(
    parts: FakeParts, undo: Undo
) -> None:
    release = parts.release(1, replicas=2)
    await parts.made_live(release, verified=False)
    parts.engine.exit("aweigh-shop-1-1", 1)
    assert not await undo.is_live(release)

    await parts.engine.start("aweigh-shop-1-1")

    assert await undo.is_live(release)


async def test_everything_of_the_deployment_goes_and_the_route_leads_back(
    parts: FakeParts, undo: Undo, old: Release
) -> None:
    new = parts.routed(2, replicas=2, release_command=["migrate"])
    parts.engine.programs["sha256:2"] = Program(exit_code=0)
    await parts.release_command.run(parts.step(new), image_of(new))
    parts.engine.programs["sha256:2"] = Program()
    await parts.made_live(new, verified=False)
    await build_container(parts, new)
    assert len(await parts.statuses()) == 5

    step = await taken_away(parts, undo, new)

    assert await parts.statuses() == {"aweigh-shop-1-0": "running"}
    assert parts.live_sequence == 1
    assert await undo.is_live(old)
    assert step.detail == "aweigh-shop-2-0, aweigh-shop-2-1"


async def build_container(parts: FakeParts, release: Release) -> None:
    """What is left of the deployment's build when its worker died."""
    labels = {
        INSTANCE: parts.installation.instance, APPLICATION: SHOP, ROLE: "build",
        DEPLOYMENT: release.deployment,
    }  # fmt: skip
    name = parts.installation.names.build(release.slug, release.sequence, "build")
    spec = ContainerSpec(name=name, image="sha256:builder", labels=labels, network="aweigh.build")
    await parts.engine.create(spec)
    await parts.engine.start(name)


async def test_nothing_to_undo_is_fine(parts: FakeParts, undo: Undo, old: Release) -> None:
    step = await taken_away(parts, undo, parts.routed(2))

    assert step.detail == "nothing to remove"
    assert await parts.statuses() == {"aweigh-shop-1-0": "running"}


async def test_containers_that_were_stopped_for_it_run_again(
    parts: FakeParts, undo: Undo, old: Release
) -> None:
    new = parts.routed(2, strategy="recreate")
    await parts.created(new)
    parked = await parts.engine.container("aweigh-shop-1-0")
    assert parked
    assert (parked.status, parked.restart) == ("exited", "no")

    await taken_away(parts, undo, new)

    [again] = await parts.engine.containers({})
    assert (again.id, again.status, again.restart) == (parked.id, "running", "unless-stopped")


async def test_containers_that_a_newer_deployment_stopped_stay_stopped(
    parts: FakeParts, undo: Undo, old: Release
) -> None:
    older, newer = parts.routed(2, strategy="recreate"), parts.routed(3, strategy="recreate")
    await parts.created(older)
    await parts.created(newer)

    await taken_away(parts, undo, older)

    assert await parts.statuses() == {"aweigh-shop-1-0": "exited", "aweigh-shop-3-0": "running"}


async def test_requests_under_way_are_cut_when_their_time_is_over(
    parts: FakeParts, undo: Undo, old: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aweigh.routing.drain._GUARD_SECONDS", 0)
    new = parts.routed(2, drain=0)
    file = await parts.made_live(new, verified=False)
    assert parts.traefik.connections is not None
    parts.traefik.connections[file.generation.addresses[0]] = 1

    await taken_away(parts, undo, new)

    assert await parts.statuses() == {"aweigh-shop-1-0": "running"}
