"""The reconciler leaves alone what a deployment still drains: requests are under way there."""

from pathlib import Path

import pytest

from aweigh.contract import KnownApplication, KnownDeployment
from aweigh.deployments.deployment import DeploymentState
from aweigh.engine.container import Container
from aweigh.engine.labels import (
    ROLE,
    SEQUENCE,
)
from aweigh.routing.route import Generation
from aweigh.routing.route_files import RouteFile
from aweigh.upkeep.leftovers import is_leftover

OLD, NEW = 1, 2


def application(**states: DeploymentState) -> KnownApplication:
    deployments = tuple(
        KnownDeployment(id=f"dep_{number}", sequence=number, state=state)
        for number, state in enumerate(states.values(), start=OLD)
    )
    return KnownApplication(
        id="app_1", slug="shop", live=None, highest_sequence=len(deployments),
        deployments=deployments,
    )  # fmt: skip


def old_is_leftover(known: KnownApplication, tmp_path: Path) -> bool:
    """Whether the old generation is removed, while the new one's file is committed."""
    generation = Generation(
        instance="i", application="app_1", slug="shop", deployment=f"dep_{NEW}", sequence=NEW,
        image_id="sha256:1", addresses=("10.0.0.2",), port=8000,
    )  # fmt: skip
    old = Container(
        id="1", name="shop-1-0", labels={SEQUENCE: str(OLD), ROLE: "replica"}, image_id="",
        status="running",
    )  # fmt: skip
    return is_leftover(old, known, RouteFile(tmp_path / "shop.yml", generation))


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (DeploymentState.STARTED, False),
        (DeploymentState.SUCCEEDED, True),
        (DeploymentState.FAILED, True),
    ],
)
def test_the_generation_before_the_live_one_stays_until_that_deployment_has_ended(
    tmp_path: Path, live: DeploymentState, expected: bool
) -> None:
    known = application(old=DeploymentState.SUCCEEDED, live=live)

    assert old_is_leftover(known, tmp_path) is expected


def test_a_deployment_that_became_live_after_the_inventory_was_taken_still_drains(
    tmp_path: Path,
) -> None:
    assert not old_is_leftover(application(old=DeploymentState.SUCCEEDED), tmp_path)


def test_container_of_a_deleted_deployment_is_a_leftover_also_where_the_route_is_lost() -> None:
    known = KnownApplication(
        id="app_1", slug="shop", live="dep_3", highest_sequence=3, ended_below=4,
        deployments=(KnownDeployment(id="dep_3", sequence=3, state=DeploymentState.SUCCEEDED),),
    )  # fmt: skip
    containers = [
        Container(
            id=f"{sequence}", name=f"shop-{sequence}-0", image_id="", status="running",
            labels={SEQUENCE: str(sequence), ROLE: "replica"},
        )
        for sequence in (1, 3, 4)
    ]  # fmt: skip

    found = [is_leftover(one, known, None) for one in containers]

    assert found == [True, False, False]


@pytest.mark.parametrize(("ended_below", "expected"), [(0, False), (OLD, False), (OLD + 1, True)])
def test_what_is_no_longer_listed_has_ended_below_what_is(
    tmp_path: Path, ended_below: int, expected: bool
) -> None:
    known = KnownApplication(
        id="app_1", slug="shop", live=f"dep_{NEW}", highest_sequence=NEW, ended_below=ended_below,
        deployments=(
            KnownDeployment(id=f"dep_{NEW}", sequence=NEW, state=DeploymentState.SUCCEEDED),
        ),
    )  # fmt: skip

    assert old_is_leftover(known, tmp_path) is expected
