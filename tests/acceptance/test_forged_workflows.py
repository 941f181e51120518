"""Whoever reaches Temporal's port starts workflows, activities and signals of their own."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from aweigh.deployments.workflow_ids import lane_id
from examples.demo.image import make_image
from tests.support import forged_workflows
from tests.support.images import temporary_repository
from tests.support.outside import containers, picture, step, swept, until
from tests.support.stack import Stack

pytestmark = pytest.mark.docker

STEPS, PULL, BUILD, CONTROL = (
    "server/local/steps",
    "server/local/pull",
    "server/local/build",
    "control",
)
QUEUES = {
    **dict.fromkeys(
        ("preflight", "release", "create", "health", "switch", "drain", "remove", "sweep", "undo"),
        STEPS,
    ),
    "fetch": PULL, "pull": PULL, "build": BUILD,
}  # fmt: skip
OUTSIDE = "../../../victim"


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        for tag, behaviour in (("v1", {}), ("v2", {"BOOT_SECONDS": "5"})):
            make_image(engine, repository=name, tag=tag, environment={"VERSION": tag, **behaviour})
        yield name


@dataclass
class Target:
    """An application with a live deployment, and files that a forged name would lead to."""

    engine: docker.DockerClient
    stack: Stack
    application: dict[str, Any]
    older: dict[str, Any]
    live: dict[str, Any]
    victims: list[Path]

    async def picture(self) -> dict[str, Any]:
        """Everything that nobody but the API may change."""
        stack, application = self.stack, self.application["id"]
        paths = [f"/v1/applications/{application}"] + [
            f"/v1/deployments/{one['id']}{part}" for one in (self.older, self.live)
            for part in ("", "/steps", "/log")
        ]  # fmt: skip
        data = stack.data / "server"
        files = [*(data / "routes").rglob("*.yml"), *(data / "fences").iterdir(), *self.victims]
        return {
            **await picture(self.engine, stack, self.application),
            "api": [(await stack.call("GET", path)).text for path in paths],
            "files": {str(path): path.read_text() for path in files if path.exists()},
            "volumes": sorted(
                one.name for one in self.engine.volumes.list(filters={"name": f"{stack.prefix}-"})
            ),
        }

    def asked_of(self, deployment: dict[str, Any]) -> list[dict[str, Any]]:
        """Every step and record, for a deployment."""
        payload = {
            "deployment_id": deployment["id"], "application_id": self.application["id"],
            "sequence": 10**6, "reason": "unhealthy", "message": "forged",
        }  # fmt: skip
        steps = [
            {"name": name, "queue": queue, "payload": payload} for name, queue in QUEUES.items()
        ]
        records = [
            {"name": f"record_{what}", "queue": CONTROL, "payload": payload}
            for what in ("started", "failed", "succeeded")
        ]
        return [*steps, *records]

    def removals(self) -> list[dict[str, Any]]:
        """The removal of the application, and of a file; and the record of it."""
        payload = {
            "application_id": self.application["id"], "slug": self.application["slug"],
            "sequence": 10**6, "volumes": True,
        }  # fmt: skip
        return [
            {"name": "remove_application", "queue": STEPS, "payload": payload},
            {
                "name": "remove_application", "queue": STEPS,
                "payload": payload | {"application_id": OUTSIDE, "slug": OUTSIDE},
            },
            {"name": "record_removal", "queue": CONTROL, "payload": payload},
            {
                "name": "compare_records", "queue": CONTROL,
                "payload": {
                    "server": "local", "live": [self.older["id"]], "verified": [self.older["id"]],
                },
            },
        ]  # fmt: skip


@pytest.fixture(scope="module")
async def target(engine: docker.DockerClient, stack: Stack, repository: str) -> Target:
    app = await stack.create(
        "forged", {"type": "image", "image": repository, "tag": "v1"},
        domains=[{"host": "forged.localhost", "tls": False}], strategy="rolling",
        volumes=[{"source": "data", "target": "/data"}],
    )  # fmt: skip
    older = (await stack.deploy(app, "not-there")).json()["deployment"]
    live = (await stack.deploy(app)).json()
    await swept(stack, live["id"])
    victims = [stack.data / "victim.yml", stack.data / "server" / "victim.json"]
    for one in victims:
        one.write_text("somebody's")
    return Target(engine, stack, app, older, live, victims)


async def test_activities_for_a_made_up_workflow_change_nothing(target: Target) -> None:
    """Under the very ids of the deployment and the removal, which anybody can choose."""
    client, before = await target.stack.temporal(), await target.picture()

    for deployment in (target.older, target.live):
        for workflow_id in (deployment["workflow"]["id"], f"forged/{deployment['id']}"):
            said = await forged_workflows.forge(client, workflow_id, target.asked_of(deployment))
            assert all(said), said
    for workflow_id in (f"removal/forged/{10**6}", "forged/removal"):
        await forged_workflows.forge(client, workflow_id, target.removals())

    assert await target.picture() == before


async def test_activities_for_no_workflow_at_all_change_nothing(target: Target) -> None:
    client, before = await target.stack.temporal(), await target.picture()

    asked = [*target.asked_of(target.live), *target.removals()[:3]]
    for one in asked:
        await forged_workflows.alone(client, one["name"], one["queue"], one["payload"])

    assert await target.picture() == before


async def test_workflows_started_by_hand_change_nothing(target: Target) -> None:
    client, before = await target.stack.temporal(), await target.picture()
    application = target.application["id"]
    common = {"server": "local", "sequence": 10**6, "proceed": True, "volumes": True}

    for given, slug in ((application, OUTSIDE), (application, "forged"), (OUTSIDE, OUTSIDE)):
        order = {"application_id": given, "slug": slug, **common}
        await forged_workflows.start(client, "RemovalWorkflow", f"removal/{slug}/{10**6}", order)
        await forged_workflows.start(client, "RemovalWorkflow", f"removal/forged/{10**6}", order)
    for one in (target.older, target.live):
        order = {
            "deployment_id": one["id"], "application_id": application, "slug": OUTSIDE,
            "reference": "forged:v1", **common,
        }  # fmt: skip
        await forged_workflows.start(client, "DeploymentWorkflow", one["workflow"]["id"], order)
        await forged_workflows.start(client, "DeploymentWorkflow", f"forged/{one['id']}/2", order)

    assert await target.picture() == before


async def test_a_lane_that_is_told_of_made_up_turns_changes_nothing(target: Target) -> None:
    client, before = await target.stack.temporal(), await target.picture()
    application = target.application["id"]
    common = {"server": "local", "sequence": 10**6, "application_id": application}
    lane = lane_id("forged")

    await forged_workflows.submit(
        client, lane, application,
        {**common, "slug": OUTSIDE, "removal": True, "volumes": True},
        {**common, "slug": "forged", "removal": True, "volumes": True, "sequence": 3},
        {**common, "slug": OUTSIDE, "deployment_id": OUTSIDE, "sequence": 10**7},
        {**common, "slug": "forged", "deployment_id": target.older["id"], "sequence": 10**8},
        {**common, "slug": "forged", "deployment_id": target.live["id"], "sequence": 10**9},
    )  # fmt: skip
    await forged_workflows.ended(client, lane)

    assert await target.picture() == before


async def gated(target: Target) -> dict[str, Any]:
    """A deployment whose containers take their time."""
    begun = dict((await target.stack.deploy(target.application, "v2", wait=0)).json())

    async def is_gated() -> bool:
        return (await step(target.stack, begun["id"], "health")).get("state") == "running"

    await until(is_gated)
    return begun


async def test_made_up_turns_supersede_no_deployment_in_flight(target: Target) -> None:
    stack, client, application = target.stack, await target.stack.temporal(), target.application
    begun = await gated(target)
    newer = {"server": "local", "slug": "forged", "application_id": application["id"]}

    await forged_workflows.submit(
        client, lane_id("forged"), application["id"],
        {**newer, "sequence": begun["sequence"] + 1, "deployment_id": begun["id"][:-6] + "000000"},
        {**newer, "sequence": 10**9, "deployment_id": target.older["id"]},
        {**newer, "sequence": 10**9, "removal": True, "volumes": True},
    )  # fmt: skip
    ended = await stack.end_of(begun["id"])

    assert (ended["state"], ended["message"]) == ("succeeded", None)
    await forged_workflows.ended(client, lane_id("forged"))
    live = (await stack.call("GET", f"/v1/applications/{application['id']}")).json()["live"]
    assert live["deployment"] == begun["id"]


async def test_a_deployment_in_flight_is_steered_by_its_own_workflow_only(target: Target) -> None:
    stack, client = target.stack, await target.stack.temporal()
    begun = await gated(target)
    said = await asyncio.gather(
        forged_workflows.forge(client, f"forged/{begun['id']}", target.asked_of(begun)),
        forged_workflows.alone(client, "undo", STEPS, target.asked_of(begun)[0]["payload"]),
        forged_workflows.alone(client, "switch", STEPS, target.asked_of(begun)[0]["payload"]),
    )

    assert all(said), said
    assert all(said[0]), said
    assert (await stack.deployment(begun["id"], wait=600))["state"] == "succeeded"
    assert len(containers(target.engine, stack.prefix, "forged")) >= 1
