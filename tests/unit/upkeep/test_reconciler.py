"""What the reconciler makes of an inventory that leaves out what has long ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from aweigh.containers.application_networks import ApplicationNetworks
from aweigh.contract import Inventory, KnownApplication, KnownDeployment
from aweigh.deployments.deployment import DeploymentState, Reason
from aweigh.deployments.step_errors import StepUnavailable
from aweigh.engine.container import Container
from aweigh.engine.own_containers import OwnContainers
from aweigh.routing.live_state import LiveState
from aweigh.servers.api_client import Api
from aweigh.servers.journal import Journal
from aweigh.upkeep.findings import FindingsBuilder
from aweigh.upkeep.server_inventory import ServerInventory, ServerState

SHOP = KnownApplication(
    id="app_shop", slug="shop", live="dep_3", highest_sequence=4, ended_below=3,
    deployments=(
        KnownDeployment(id="dep_4", sequence=4, state=DeploymentState.STARTED),
        KnownDeployment(id="dep_3", sequence=3, state=DeploymentState.SUCCEEDED),
        KnownDeployment(id="dep_2", sequence=2, state=DeploymentState.FAILED),
    ),
)  # fmt: skip
GONE = KnownApplication(id="app_gone", slug="gone", live=None, highest_sequence=1, removed=True)
YOUNG = KnownApplication(id="app_young", slug="young", live=None, highest_sequence=1)
INVENTORY = Inventory(instance="i", applications=(SHOP,))


class Answers:
    """An API that knows three applications, and lists one unasked."""

    async def inventory(self, application_id: str) -> Inventory:
        found = tuple(one for one in (SHOP, GONE, YOUNG) if one.id == application_id)
        return Inventory(instance="i", applications=found)


@dataclass
class Owned:
    """Networks of applications."""

    application: str | None

    async def owners(self) -> set[str]:
        return {self.application} if self.application else set()


@dataclass
class Routed:
    """Route files of applications."""

    application: str | None

    async def route_files(self) -> list[SimpleNamespace]:
        generation = SimpleNamespace(application=self.application)
        return [SimpleNamespace(generation=generation)] if self.application else []


async def removed(
    here: Mapping[str, list[Container]], routed: str | None = None, networked: str | None = None
) -> list[KnownApplication]:
    inventory = ServerInventory(
        cast(Api, Answers()),
        cast(OwnContainers, None),
        cast(LiveState, Routed(routed)),
        cast(ApplicationNetworks, Owned(networked)),
    )
    return await inventory.removed_applications(ServerState(INVENTORY, here), FindingsBuilder())


def wanted(inventory: Inventory) -> set[str]:
    return ServerState(inventory, {}).wanted


def container(application: str) -> Container:
    labels: dict[str, Any] = {"aweigh.application": application}
    return Container(id="1", name=application, labels=labels, image_id="", status="running")


async def test_a_removed_application_is_asked_for_while_something_of_it_is_here() -> None:
    here = {one: [container(one)] for one in ("app_shop", "app_gone", "app_young", "app_odd")}

    assert await removed(here) == [GONE]
    assert await removed({}, routed="app_gone") == [GONE]
    assert await removed({}, networked="app_gone") == [GONE]
    assert await removed({}) == []


def test_the_files_of_what_has_ended_are_forgotten_listed_or_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path, cast(Api, Answers()))
    for number in range(1, 6):
        (tmp_path / f"dep_{number}").mkdir()
    before = [f"dep_{number}" for number in range(1, 5)]

    for ended in set(before) - wanted(INVENTORY):
        journal.forget(ended)

    assert sorted(journal.deployments()) == ["dep_3", "dep_4", "dep_5"]


def test_a_deployment_of_an_application_that_cannot_be_read_is_left_alone() -> None:
    bad = Inventory(instance="i", applications=(SHOP,), skipped={"app_bad": ("dep_7", "dep_8")})

    assert {"dep_7", "dep_8"} <= wanted(bad)


@pytest.mark.parametrize(
    "error",
    [StepUnavailable(Reason.ENGINE_UNAVAILABLE, "no"), KeyError("x"), TypeError("x"), OSError()],
)
def test_what_is_wrong_with_one_subject_is_reported_and_keeps_no_other(error: Exception) -> None:
    findings, looked = FindingsBuilder(), []
    for subject in ("one", "bad", "two"):
        with findings.isolating(subject):
            if subject == "bad":
                raise error
            looked.append(subject)

    assert looked == ["one", "two"]
    assert findings.build("run").skipped == ("bad",)
