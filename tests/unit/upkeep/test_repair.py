"""Repair of what is live: its route file and its containers, as far as they are known."""

from typing import Any

import pytest

from aweigh.contract import KnownApplication, KnownDeployment
from aweigh.deployments.deployment import DeploymentState
from aweigh.deployments.release import Release
from aweigh.upkeep.repair import ContainerRepair, RouteRepair
from tests.support.fake_parts import APPLICATION, FakeParts

SUCCEEDED, FAILED, STARTED = (
    DeploymentState.SUCCEEDED, DeploymentState.FAILED, DeploymentState.STARTED,
)  # fmt: skip


@pytest.fixture
def routes(parts: FakeParts) -> RouteRepair:
    return RouteRepair(parts.api, parts.live, parts.drain, parts.replicas, parts.release_images)


@pytest.fixture
def repair(parts: FakeParts) -> ContainerRepair:
    return ContainerRepair(
        parts.api, parts.containers, parts.application_networks, parts.replicas,
        parts.release_images,
    )  # fmt: skip


def known(live: int | None, *states: DeploymentState, **fields: Any) -> KnownApplication:
    """What the database says, with the states of its deployments from the first one on."""
    deployments = tuple(
        KnownDeployment(id=f"dep_{sequence}", sequence=sequence, state=state)
        for sequence, state in enumerate(states, start=1)
    )
    return KnownApplication(
        id=APPLICATION, slug="shop", live=f"dep_{live}" if live else None,
        highest_sequence=len(states), deployments=deployments, **fields,
    )  # fmt: skip


async def test_route_that_a_failure_left_is_taken_back(
    parts: FakeParts, routes: RouteRepair
) -> None:
    await parts.made_live(parts.routed(1))
    await parts.made_live(parts.routed(2), verified=False)

    file = await routes.repair(known(1, SUCCEEDED, FAILED))

    assert file
    assert (file.generation.sequence, parts.live_sequence) == (1, 1)


async def test_route_that_a_failure_left_is_taken_back_though_its_record_was_deleted(
    parts: FakeParts, routes: RouteRepair
) -> None:
    await parts.made_live(parts.routed(1))
    await parts.made_live(parts.routed(2), verified=False)

    file = await routes.repair(known(1, SUCCEEDED, ended_below=3))

    assert file
    assert (file.generation.sequence, parts.live_sequence) == (1, 1)


async def test_route_of_a_deployment_that_the_database_never_knew_stays(
    parts: FakeParts, routes: RouteRepair
) -> None:
    await parts.made_live(parts.routed(1))
    begun = await parts.made_live(parts.routed(2), verified=False)

    assert await routes.repair(known(1, SUCCEEDED, ended_below=2)) == begun


async def test_route_that_the_first_failure_left_is_removed(
    parts: FakeParts, routes: RouteRepair
) -> None:
    await parts.made_live(parts.routed(1), verified=False)

    assert await routes.repair(known(None, FAILED)) is None
    assert parts.live_sequence is None


async def test_route_that_a_failure_left_is_replaced_where_its_way_back_is_lost(
    parts: FakeParts, routes: RouteRepair
) -> None:
    first = await parts.made_live(parts.routed(1))
    await parts.made_live(parts.routed(2), verified=False)
    parts.route_files.forget_older(first.generation)

    await routes.repair(known(1, SUCCEEDED, FAILED))

    assert parts.live_sequence == 1


async def test_route_that_was_verified_stays_though_its_deployment_failed(
    parts: FakeParts, routes: RouteRepair
) -> None:
    file = await parts.made_live(parts.routed(1))

    assert await routes.repair(known(None, FAILED)) == file
    assert parts.live_sequence == 1


async def test_lost_route_is_written_again(parts: FakeParts, routes: RouteRepair) -> None:
    file = await parts.made_live(parts.routed(1, replicas=2))
    text = file.path.read_text()
    file.path.unlink()

    assert await routes.repair(known(1, SUCCEEDED)) == file
    assert file.path.read_text() == text


@pytest.mark.parametrize("lost", ["a container", "the image", "the release"])
async def test_lost_route_is_not_written_to_what_is_not_all_there(
    parts: FakeParts, routes: RouteRepair, lost: str
) -> None:
    (await parts.made_live(parts.routed(1, replicas=2))).path.unlink()
    if lost == "a container":
        await parts.engine.remove("aweigh-shop-1-1")
    elif lost == "the image":
        await parts.images.tag("sha256:1", "shop:last")
        await parts.images.untag("shop:last")
    else:
        parts.known.releases.clear()

    assert await routes.repair(known(1, SUCCEEDED)) is None
    assert parts.live_sequence is None


@pytest.mark.parametrize(
    "application",
    [known(1, SUCCEEDED, STARTED), known(1, SUCCEEDED, removed=True)],
    ids=["in flight", "removed"],
)
async def test_lost_route_of_what_is_changing_is_left_to_who_changes_it(
    parts: FakeParts, routes: RouteRepair, application: KnownApplication
) -> None:
    (await parts.made_live(parts.routed(1))).path.unlink()

    assert await routes.repair(application) is None
    assert parts.live_sequence is None


async def test_containers_that_all_run_are_left_alone(
    parts: FakeParts, repair: ContainerRepair
) -> None:
    file = await parts.made_live(parts.routed(1, replicas=2))
    before = await parts.engine.containers({})

    assert await repair.repair(file)
    assert await parts.engine.containers({}) == before


async def test_stopped_container_runs_again(parts: FakeParts, repair: ContainerRepair) -> None:
    file = await parts.made_live(parts.routed(1))
    await parts.engine.set_restart("aweigh-shop-1-0", "no")
    await parts.engine.stop("aweigh-shop-1-0")
    [stopped] = await parts.engine.containers({})

    assert await repair.repair(file)

    [again] = await parts.engine.containers({})
    assert (again.id, again.status, again.restart) == (stopped.id, "running", "unless-stopped")


@pytest.mark.parametrize(
    ("policy", "code", "runs"),
    [
        ("always", 0, True), ("on-failure", 0, False), ("on-failure", 1, True), ("no", 1, False),
    ],
)  # fmt: skip
async def test_container_that_ended_runs_again_as_its_restart_policy_says(
    parts: FakeParts, repair: ContainerRepair, policy: str, code: int, runs: bool
) -> None:
    file = await parts.made_live(parts.routed(1, restart=policy))
    parts.engine.exit("aweigh-shop-1-0", code)

    assert await repair.repair(file)
    assert await parts.statuses() == {"aweigh-shop-1-0": "running" if runs else "exited"}


async def test_container_that_is_gone_is_made_again_where_it_was(
    parts: FakeParts, repair: ContainerRepair
) -> None:
    file = await parts.made_live(parts.routed(1, replicas=2))
    before = await parts.engine.containers({})
    await parts.engine.remove("aweigh-shop-1-1")

    assert await repair.repair(file)

    after = await parts.engine.containers({})
    assert [one.addresses for one in after] == [one.addresses for one in before]
    assert [one.status for one in after] == ["running", "running"]
    assert (after[0].id == before[0].id, after[1].id == before[1].id) == (True, False)


@pytest.mark.parametrize("how", ["disconnected", "the network was removed"])
async def test_container_that_is_cut_off_is_made_again_in_the_network(
    parts: FakeParts, repair: ContainerRepair, how: str
) -> None:
    file = await parts.made_live(parts.routed(1))
    network = parts.installation.names.application_network("shop")
    if how == "disconnected":
        parts.engine.disconnect("aweigh-shop-1-0", network)
    else:
        await parts.application_networks.remove("shop")

    assert await repair.repair(file)

    [again] = await parts.engine.containers({})
    assert again.running
    assert again.addresses[network] == file.generation.addresses[0]
    assert parts.engine.is_in(again.name, network)


@pytest.fixture
async def stopped(parts: FakeParts) -> Release:
    """A live release whose only container was stopped."""
    release = parts.routed(1)
    await parts.made_live(release)
    await parts.engine.stop("aweigh-shop-1-0")
    return release


@pytest.mark.parametrize("lost", ["the image", "the release", "the API"])
async def test_containers_that_cannot_run_again_are_reported(
    parts: FakeParts, repair: ContainerRepair, stopped: Release, lost: str
) -> None:
    file = parts.route_files.live("shop")
    assert file
    if lost == "the image":
        await parts.images.tag("sha256:1", "shop:last")
        await parts.images.untag("shop:last")
    elif lost == "the release":
        parts.known.releases.clear()
    else:
        parts.known.away = True

    assert not await repair.repair(file)
    assert await parts.statuses() == {"aweigh-shop-1-0": "exited"}


async def test_what_a_failed_deployment_left_running_stops_before_the_live_ones_run(
    parts: FakeParts, repair: ContainerRepair
) -> None:
    file = await parts.made_live(parts.routed(1, strategy="recreate"))
    await parts.created(parts.routed(2, strategy="recreate"))

    assert await repair.repair(file)
    assert await parts.statuses() == {"aweigh-shop-1-0": "running", "aweigh-shop-2-0": "exited"}
