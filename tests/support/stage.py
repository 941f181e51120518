"""Workflows on a real Temporal server, with a made-up server world behind their activities."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.deliver import DeliveryActivities
from activities.inputs import DeliveryResult
from aweigh.deployments.turn import Turn
from aweigh.deployments.workflow_ids import lane_id
from tests.support.courier import FakeCourier
from tests.support.simulated_server import FakeRecords, World, removal, steps
from worker.control import WORKFLOWS, sandbox
from worker.failures import PlainErrors
from worker.stack import TUNING
from workflows.lane import ApplicationLane, LaneInput, Submission
from workflows.names import (
    CONTROL_QUEUE,
    NOTIFICATIONS_QUEUE,
    SEARCH_ATTRIBUTES,
    build_queue,
    pull_queue,
    steps_queue,
    waits_queue,
)
from workflows.notification import NotificationRequest, NotificationWorkflow, start_options
from workflows.policies import share_of

TEMPORAL = str(Path(sys.executable).parent / "temporal")


async def start_temporal(flags: Mapping[str, str] | None = None) -> WorkflowEnvironment:
    """A real server of one's own, tuned as the local stack's is, and by further flags."""
    return await WorkflowEnvironment.start_local(
        dev_server_existing_path=TEMPORAL,
        dev_server_extra_args=[
            word
            for key, value in {**TUNING, **(flags or {})}.items()
            for word in ("--dynamic-config-value", f"{key}={value}")
        ],
        search_attributes=list(SEARCH_ATTRIBUTES),
        identity="test",
    )


@dataclass
class Stage:
    """One application on one server of its own."""

    client: Client
    name: str
    world: World
    courier: FakeCourier = field(default_factory=FakeCourier)

    def turn(self, sequence: int, **more: Any) -> Turn:
        deployed = {
            "deployment_id": f"{self.name}.{sequence}", "reference": f"shop:v{sequence}",
            "label": f"v{sequence}",
        }  # fmt: skip
        return Turn(
            application_id=f"{self.name}.app", slug=self.name, server=self.name, sequence=sequence,
            **({} if more.get("removal") else deployed) | more,
        )  # fmt: skip

    async def submit(self, turn: Turn) -> None:
        """As the API and its relay do it."""
        known = "" if turn.removal else turn.deployment_id
        self.world.turns[known] = turn
        await self.ask(known)

    async def ask(self, deployment_id: str) -> None:
        """As the relay does it, or whoever reaches Temporal."""
        await self.client.start_workflow(
            ApplicationLane.run, LaneInput(), id=self.lane_id,
            task_queue=CONTROL_QUEUE, start_signal="submit",
            start_signal_args=[Submission(deployment_id)],
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING, priority=share_of(self.name),
        )  # fmt: skip

    def notification(self, number: int = 1, **more: Any) -> NotificationRequest:
        given = {"kind": "deployment.failed", "channel": "Ops & Co"} | more
        return NotificationRequest(f"{self.name}.{number}", slug=self.name, sequence=7, **given)

    async def notify(self, request: NotificationRequest) -> WorkflowHandle[Any, DeliveryResult]:
        """As the relay does it."""
        return await self.client.start_workflow(
            NotificationWorkflow.run, request, **start_options(request)
        )

    @property
    def lane_id(self) -> str:
        return lane_id(self.name)

    def deployment(self, sequence: int) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(self.turn(sequence).workflow_id)

    async def ended(self, *sequences: int, within: float = 300) -> None:
        """Wait until these deployments have their last record."""
        async with asyncio.timeout(within):
            for sequence in sequences:
                records = self.world.records[f"{self.name}.{sequence}"]
                while not {"succeeded", "failed"} & set(records):
                    await asyncio.sleep(0.01)

    async def ended_as(self, sequence: int, record: str) -> None:
        """Wait until a deployment has this record."""
        async with asyncio.timeout(300):
            while record not in self.world.records[f"{self.name}.{sequence}"]:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(300):
            with suppress(WorkflowFailureError):
                await self.deployment(sequence).result()

    async def cancel_arrived(self, sequence: int) -> None:
        """Wait until the deployment's workflow was told to cancel."""
        async with asyncio.timeout(300):
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

    def __init__(self, client: Client, records: FakeRecords, courier: FakeCourier) -> None:
        self.client = client
        self.records = records
        self.courier = courier

    @asynccontextmanager
    async def stage(self, *, serving: bool = True) -> AsyncIterator[Stage]:
        """A server with its worker; without one if it is not `serving`."""
        name, world = f"s{secrets.token_hex(4)}", World()
        self.records.worlds[name] = world
        async with AsyncExitStack() as workers:
            if serving:
                activities = [*steps(world), removal(world)]
                for queue_of in (steps_queue, waits_queue, pull_queue, build_queue):
                    await workers.enter_async_context(
                        Worker(self.client, task_queue=queue_of(name), activities=activities)
                    )
            yield Stage(self.client, name, world, self.courier)


@asynccontextmanager
async def theatre(client: Client, **options: Any) -> AsyncIterator[Theatre]:
    records, courier = FakeRecords(), FakeCourier()
    deliveries = DeliveryActivities(courier)
    activities: list[Callable[..., Any]] = [
        records.started, records.standing, records.succeeded, records.failed, records.removal,
        records.report, records.read, deliveries.cancelled,
    ]  # fmt: skip
    delivering = Worker(
        client, task_queue=NOTIFICATIONS_QUEUE, activities=[deliveries.deliver],
        interceptors=[PlainErrors()],
    )  # fmt: skip
    async with delivering, Worker(
        client, task_queue=CONTROL_QUEUE, workflows=WORKFLOWS, activities=activities,
        **({"workflow_runner": sandbox()} | options),
    ):  # fmt: skip
        yield Theatre(client, records, courier)
