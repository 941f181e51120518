"""Workflows on a real Temporal server, with a made-up server world behind their activities."""

import asyncio
import secrets
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.inputs import (
    FailedRecord,
    MayProceed,
    Nothing,
    RemovalInput,
    RemovalRecord,
    StartedRecord,
    StepInput,
    StepResult,
    SucceededRecord,
)
from worker.control import WORKFLOWS, sandbox
from worker.stack import TUNING
from workflows.lane import ApplicationLane, LaneInput, Turn
from workflows.names import CONTROL_QUEUE, SEARCH_ATTRIBUTES, build_queue, pull_queue, steps_queue

STEPS = (
    "preflight", "fetch", "build", "pull", "release", "create", "health",
    "switch", "drain", "remove", "sweep", "undo",
)  # fmt: skip
TEMPORAL = str(Path(sys.executable).parent / "temporal")
FLAGS = [
    word for key, value in TUNING.items() for word in ("--dynamic-config-value", f"{key}={value}")
]


async def start_temporal() -> WorkflowEnvironment:
    """A real server of one's own, tuned as the local stack's is."""
    return await WorkflowEnvironment.start_local(
        dev_server_existing_path=TEMPORAL,
        dev_server_extra_args=FLAGS,
        search_attributes=list(SEARCH_ATTRIBUTES),
        identity="test",
    )


@dataclass
class World:
    """One server as the steps would leave it, and what was recorded of its deployments."""

    #: Deployments whose containers exist, and the one that is live.
    containers: set[str] = field(default_factory=set)
    live: str | None = None
    live_sequence: int = 0
    #: Every step that ran, and every record that was made, in order.
    ran: list[tuple[str, str]] = field(default_factory=list)
    records: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[str, FailedRecord] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    removals: list[RemovalRecord] = field(default_factory=list)
    #: What a step of a deployment raises, one after the other: (deployment or "", step) → errors.
    faults: dict[tuple[str, str], list[BaseException]] = field(default_factory=dict)
    #: Steps that wait until they are let go, or cancelled.
    held: dict[tuple[str, str], asyncio.Event] = field(default_factory=dict)
    reached: dict[tuple[str, str], asyncio.Event] = field(
        default_factory=lambda: defaultdict(asyncio.Event)
    )
    inside: int = 0
    most_inside: int = 0
    switches: list[int] = field(default_factory=list)
    #: Whether images are built here, not pulled.
    builds: bool = False

    def hold(self, step: str, deployment: str = "") -> asyncio.Event:
        return self.held.setdefault((deployment, step), asyncio.Event())

    async def step(self, name: str, given: StepInput) -> StepResult:
        self.ran.append((given.deployment_id, name))
        for key in ((given.deployment_id, name), ("", name)):
            self.reached[key].set()
            if self.faults.get(key):
                raise self.faults[key].pop(0)
        for key in ((given.deployment_id, name), ("", name)):
            if key in self.held:
                await _let_go(self.held[key])
        getattr(self, f"_{name}", lambda _: None)(given)
        return StepResult(f"{name} done", builds=self.builds and name == "preflight")

    def _create(self, given: StepInput) -> None:
        self.containers.add(given.deployment_id)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)

    def _switch(self, given: StepInput) -> None:
        self.live, self.live_sequence = given.deployment_id, given.sequence
        self.switches.append(given.sequence)

    def _remove(self, given: StepInput) -> None:
        self.containers &= {given.deployment_id}
        self.inside -= 1

    def _undo(self, given: StepInput) -> None:
        if given.deployment_id in self.containers:
            self.inside -= 1
        self.containers.discard(given.deployment_id)

    def steps_of(self, deployment: str) -> list[str]:
        return [step for one, step in self.ran if one == deployment]

    def user_fault(self, step: str, reason: str, deployment: str = "") -> None:
        """The step fails for good."""
        error = ApplicationError(f"{step} broke", type=reason, non_retryable=True)
        self.faults.setdefault((deployment, step), []).append(error)

    def world_fault(self, step: str, reason: str, times: int = 1) -> None:
        """The step fails, and would succeed when it is tried again."""
        errors = [ApplicationError(f"{step} broke", type=reason) for _ in range(times)]
        self.faults.setdefault(("", step), []).extend(errors)


async def _let_go(event: asyncio.Event) -> None:
    while not event.is_set():
        activity.heartbeat()
        await asyncio.sleep(0.02)


def _steps(world: World) -> list[Callable[..., Any]]:
    def make(name: str) -> Callable[..., Any]:
        @activity.defn(name=name)
        async def step(given: StepInput) -> StepResult:
            return await world.step(name, given)

        return step

    return [make(name) for name in STEPS]


def _removal(world: World) -> Callable[..., Any]:
    @activity.defn(name="remove_application")
    async def remove_application(given: RemovalInput) -> Nothing:
        world.removed.append(given.application_id)
        world.containers.clear()
        world.live = None
        return Nothing()

    return remove_application


class FakeRecords:
    """The control worker's records, kept in the world of the deployment's server."""

    def __init__(self) -> None:
        self.worlds: dict[str, World] = {}
        self.ended_before: set[str] = set()

    def _world(self, deployment: str) -> World:
        return self.worlds[deployment.split(".")[0]]

    @activity.defn(name="record_started")
    async def started(self, record: StartedRecord) -> MayProceed:
        self._world(record.deployment_id).records[record.deployment_id].append("started")
        return MayProceed(record.deployment_id not in self.ended_before)

    @activity.defn(name="record_succeeded")
    async def succeeded(self, record: SucceededRecord) -> Nothing:
        self._world(record.deployment_id).records[record.deployment_id].append("succeeded")
        return Nothing()

    @activity.defn(name="record_failed")
    async def failed(self, record: FailedRecord) -> Nothing:
        world = self._world(record.deployment_id)
        world.records[record.deployment_id].append("failed")
        world.failures[record.deployment_id] = record
        return Nothing()

    @activity.defn(name="record_removal")
    async def removal(self, record: RemovalRecord) -> Nothing:
        world = self._world(record.application_id)
        world.records[record.application_id].append(record.failure or "removed")
        world.removals.append(record)
        return Nothing()


@dataclass
class Stage:
    """One application on one server of its own."""

    client: Client
    name: str
    world: World

    def turn(self, sequence: int, **more: Any) -> Turn:
        return Turn(
            application_id=f"{self.name}.app", slug="shop", server=self.name, sequence=sequence,
            deployment_id=f"{self.name}.{sequence}", reference=f"shop:v{sequence}", **more,
        )  # fmt: skip

    async def submit(self, turn: Turn) -> None:
        """As the relay does it."""
        await self.client.start_workflow(
            ApplicationLane.run, LaneInput(turn.application_id), id=self.lane_id,
            task_queue=CONTROL_QUEUE, start_signal="submit", start_signal_args=[turn],
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )  # fmt: skip

    @property
    def lane_id(self) -> str:
        return f"application/{self.name}.app"

    def deployment(self, sequence: int) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(f"deployment/{self.name}.{sequence}")

    async def ended(self, *sequences: int, within: float = 60) -> None:
        """Wait until these deployments have their last record."""
        async with asyncio.timeout(within):
            for sequence in sequences:
                records = self.world.records[f"{self.name}.{sequence}"]
                while not {"succeeded", "failed"} & set(records):
                    await asyncio.sleep(0.01)

    async def ended_as(self, sequence: int, record: str) -> None:
        """Wait until a deployment has this record."""
        async with asyncio.timeout(60):
            while record not in self.world.records[f"{self.name}.{sequence}"]:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(60):
            with suppress(WorkflowFailureError):
                await self.deployment(sequence).result()

    async def cancel_arrived(self, sequence: int) -> None:
        """Wait until the deployment's workflow was told to cancel."""
        async with asyncio.timeout(60):
            while True:
                described = await self.deployment(sequence).describe()
                if described.raw_description.workflow_extended_info.cancel_requested:
                    return
                await asyncio.sleep(0.01)

    def lane(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(self.lane_id)

    async def lane_ended(self) -> None:
        await self.lane().result()

    async def reset(self, sequence: int) -> None:
        """What *Reset* in Temporal's UI does, to the first task."""
        await self.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=self.client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=self.deployment(sequence).id),
                reason="once more",
                workflow_task_finish_event_id=4,
                request_id=secrets.token_hex(8),
            )
        )

    async def let_everything_go(self) -> None:
        """Let held steps go on, so that nothing runs when the stage is taken down."""
        for event in self.world.held.values():
            event.set()
        with suppress(RPCError):
            await self.lane_ended()


class Theatre:
    """One control worker, and as many stages as tests want."""

    def __init__(self, client: Client, records: FakeRecords) -> None:
        self.client = client
        self.records = records

    @asynccontextmanager
    async def stage(self, *, serving: bool = True) -> AsyncIterator[Stage]:
        """A server with its worker; without one if it is not `serving`."""
        name, world = f"s{secrets.token_hex(4)}", World()
        self.records.worlds[name] = world
        async with AsyncExitStack() as workers:
            if serving:
                steps = [*_steps(world), _removal(world)]
                for queue in (steps_queue(name), pull_queue(name), build_queue(name)):
                    await workers.enter_async_context(
                        Worker(self.client, task_queue=queue, activities=steps)
                    )
            yield Stage(self.client, name, world)


@asynccontextmanager
async def theatre(client: Client, **options: Any) -> AsyncIterator[Theatre]:
    records = FakeRecords()
    activities = [records.started, records.succeeded, records.failed, records.removal]
    async with Worker(
        client, task_queue=CONTROL_QUEUE, workflows=WORKFLOWS, activities=activities,
        workflow_runner=sandbox(), **options,
    ):  # fmt: skip
        yield Theatre(client, records)
