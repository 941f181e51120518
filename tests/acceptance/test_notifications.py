"""A channel is told of every deployment, in order, whatever dies or refuses meanwhile."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import docker
import pytest
from temporalio.client import WorkflowExecutionStatus

from examples.demo.image import make_image
from tests.support.images import temporary_repository
from tests.support.moment import go_on, stand_still
from tests.support.outside import until
from tests.support.signed_receiver import Place, Receiver, receiver
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.docker

CREATED, STARTED, SUCCEEDED = (
    f"deployment.{one}" for one in ("created", "started", "succeeded")
)  # fmt: skip
ALL = ["created", "started", "succeeded"]


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        make_image(engine, repository=name, tag="v1", environment={"VERSION": "v1"})
        yield name


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One that reaches receivers on loopback, and that nobody else's tests are on."""
    directory = tmp_path_factory.mktemp("notifications")
    async with running_stack(directory, AWEIGH_PRIVATE_TARGETS='["127.0.0.1"]') as own:
        yield own


@pytest.fixture(scope="module")
def hooks() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@dataclass
class Told:
    """An application, and a channel that is told of it alone."""

    stack: Stack
    place: Place
    application: dict[str, Any]
    channel: str

    @property
    def path(self) -> str:
        return f"/v1/channels/{self.channel}"

    async def deploy(self) -> str:
        """Accepted; the id of the deployment."""
        return str((await self.stack.deploy(self.application, wait=0)).json()["id"])

    async def deliveries(self, deployment: str) -> list[dict[str, Any]]:
        """Of a deployment, in the order of its events."""
        answer = await self.stack.call("GET", f"{self.path}/deliveries")
        items = [one for one in answer.json()["items"] if one["deployment"] == deployment]
        return sorted(items, key=lambda one: int(one["event"]))

    async def all_ended(self, deployment: str) -> list[dict[str, Any]]:
        """The three deliveries of a deployment, once the last has ended."""

        async def ended() -> list[dict[str, Any]] | None:
            found = await self.deliveries(deployment)
            return found if len(found) == 3 and all(one["ended_at"] for one in found) else None

        return await until(ended)

    async def arrived(self, kind: str) -> None:
        async def seen() -> bool:
            return any(one.kind == kind for one in self.place.received)

        await until(seen)


@pytest.fixture
async def told(
    stack: Stack, hooks: Receiver, repository: str, request: pytest.FixtureRequest
) -> Told:
    place, name = hooks.place(), f"shop-{len(hooks.places)}"
    application = await stack.create(
        name, {"type": "image", "image": repository, "tag": "v1"}, env={"NAME": name},
        domains=[{"host": f"{name}.localhost", "tls": False}],
    )  # fmt: skip
    channel = await new_channel(stack, request.node.name, place, name)
    return Told(stack, place, application, channel)


async def new_channel(stack: Stack, name: str, place: Place, application: str) -> str:
    settings = {"kind": "webhook", "name": name[:80], "url": place.url, "secret": place.secret,
                "applications": [application]}  # fmt: skip
    made = await stack.call("POST", "/v1/channels", json=settings)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def test_deployment_is_told_in_order_with_valid_signatures(told: Told) -> None:
    deployment = await told.deploy()
    deliveries = await told.all_ended(deployment)

    assert told.place.kinds() == ALL
    assert told.place.repeats() == {}
    assert all(one.is_signed and one.deployment == deployment for one in told.place.received)
    assert [(one["state"], one["attempts"], one["status"]) for one in deliveries] == (
        [("delivered", 1, 204)] * 3
    )
    assert [one["message_id"] for one in deliveries] == [one.id for one in told.place.received]


async def test_refused_message_is_repeated_with_its_id_before_the_next_one(told: Told) -> None:
    told.place.statuses = [500, 503]
    deliveries = await told.all_ended(await told.deploy())

    first, second, third, *others = told.place.received
    assert (first.id, first.kind) == (second.id, CREATED) == (third.id, CREATED)
    assert [one.status for one in (first, second, third)] == [500, 503, 204]
    assert [one.kind for one in others] == [STARTED, SUCCEEDED]
    assert [one["attempts"] for one in deliveries] == [3, 1, 1]
    assert (await told.stack.call("GET", told.path)).json()["enabled"]


async def test_receiver_that_is_gone_disables_its_channel(told: Told) -> None:
    told.place.statuses = [410]
    deployment = await told.deploy()
    await told.stack.end_of(deployment)

    async def disabled() -> dict[str, Any] | None:
        shown = dict((await told.stack.call("GET", told.path)).json())
        return None if shown["enabled"] else shown

    channel = await until(disabled)
    states = {one["state"] for one in await told.deliveries(deployment)}
    assert "410" in channel["disabled_reason"]
    assert states <= {"failed", "dropped"}
    assert len(told.place.received) == 1


async def test_deliveries_of_a_deleted_channel_end_quietly(told: Told) -> None:
    told.place.statuses = [500] * 100
    deployment = await told.deploy()
    await told.arrived(CREATED)
    await told.stack.end_of(deployment)
    answer = await told.stack.call("DELETE", told.path)
    assert answer.status_code == 204, answer.text
    client = await told.stack.temporal()
    query = (
        f'ApplicationName = "{told.application["slug"]}" AND WorkflowType = "NotificationWorkflow"'
    )

    async def ended() -> list[WorkflowExecutionStatus | None]:
        found = [one.status async for one in client.list_workflows(query)]
        return [] if WorkflowExecutionStatus.RUNNING in found else found

    assert await until(ended) == [WorkflowExecutionStatus.COMPLETED]


@pytest.mark.parametrize(("status", "state"), [(204, "delivered"), (418, "failed")])
async def test_test_of_a_channel_answers_what_the_receiver_says(
    told: Told, status: int, state: str
) -> None:
    told.place.statuses = [status]
    answer = await told.stack.call("POST", f"{told.path}/test")

    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["kind"], shown["state"], shown["status"]) == ("channel.test", state, status)
    assert [one.is_signed for one in told.place.received] == [True]


async def die(stack: Stack, part: str) -> None:
    """`kill -9` of a part, or of all; it starts again, but need not be ready."""
    if part == "all":
        await stack.crash()
        await stack.launch()
    else:
        stack.kill(part)


@pytest.mark.parametrize(
    ("part", "most"),
    # Only the death of whoever sends, or of Temporal's knowledge of it, repeats a message.
    [("control", 1), ("api", 0), ("temporal", 1), ("all", 1)],
)
async def test_every_event_arrives_when_a_part_is_killed_while_it_is_sent(
    told: Told, hooks: Receiver, part: str, most: int
) -> None:
    kinds, beside = (CREATED, STARTED, SUCCEEDED), hooks.place()
    second = await new_channel(told.stack, f"beside {part}", beside, told.application["slug"])
    told.place.hold(*kinds)
    deployment = await told.deploy()
    for kind in kinds:
        await told.arrived(kind)
        await die(told.stack, part)
        await told.stack.ready()
        told.place.held[kind].set()
    deliveries = await told.all_ended(deployment)

    repeats = told.place.repeats()
    assert told.place.kinds() == ALL
    assert all(many <= most for many in repeats.values()), repeats
    assert [one["state"] for one in deliveries] == ["delivered"] * 3
    assert all(one.is_signed for one in told.place.received)
    await replace(told, place=beside, channel=second).all_ended(deployment)
    assert beside.kinds() == ALL
    assert all(many <= most for many in beside.repeats().values()), beside.repeats()
    if part in ("control", "all"):
        assert set(repeats) == set(ALL)  # else nothing was killed in time


@pytest.mark.parametrize("part", ["api", "temporal", "all"])
async def test_event_that_was_not_handed_over_arrives_once_whatever_is_killed(
    told: Told, part: str
) -> None:
    stand_still(told.stack, "temporal")
    deployment = await told.deploy()

    async def waits() -> bool:
        return bool(await told.deliveries(deployment))

    await until(waits)
    await die(told.stack, part)
    go_on(told.stack)
    await told.stack.ready()
    await told.all_ended(deployment)

    assert told.place.kinds() == ALL
    assert told.place.repeats() == {}


async def test_recorded_delivery_is_not_repeated_when_temporal_never_heard_of_it(
    told: Told,
) -> None:
    told.place.hold(CREATED)
    deployment = await told.deploy()
    await told.arrived(CREATED)
    stand_still(told.stack, "temporal")
    told.place.held[CREATED].set()

    async def recorded() -> bool:
        return any(one["state"] == "delivered" for one in await told.deliveries(deployment))

    await until(recorded)
    os.kill(told.stack.pids()["up"], signal.SIGSTOP)  # so that the worker stays away
    told.stack.kill("control")
    go_on(told.stack)
    os.kill(told.stack.pids()["up"], signal.SIGCONT)
    await told.stack.ready()
    await told.all_ended(deployment)

    assert told.place.kinds() == ALL
    assert told.place.repeats() == {}


async def test_target_and_secret_are_kept_nowhere_in_plain_text(
    told: Told, hooks: Receiver
) -> None:
    """Of this channel, whose receiver repeats its address, and of those of all tests before."""
    told.place.statuses = [500]
    shown = (await told.stack.call("POST", f"{told.path}/test")).json()
    lists = (await told.stack.call("GET", "/v1/channels")).text
    patterns = ("temporal.db*", "aweigh.db*", "logs/*.log", "*.log")
    files = [path for pattern in patterns for path in told.stack.data.glob(pattern)]

    kept = b"".join(path.read_bytes() for path in files)
    assert shown["response"] == "no /********** here"
    assert shown["id"].encode() in kept
    for place in hooks.places.values():
        assert not [one for one in place.secrets if one in lists or one.encode() in kept]
