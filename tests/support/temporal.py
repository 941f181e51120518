"""A Temporal that a test can look into, as far as the relay knows one."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from workflows.lane import Submission
from workflows.notification import NotificationRequest


def rpc_error(status: RPCStatusCode) -> RPCError:
    return RPCError(status.name.lower(), status, b"")


@dataclass
class FakeTemporal:
    """Takes what is handed over; knows the workflows it was told to know."""

    #: Lanes, and the deployment that each was told of.
    handed_over: list[tuple[str, str]] = field(default_factory=list)
    #: Workflows of notifications, and the deliveries that each was told of.
    notified: list[tuple[str, str]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    #: Workflows that have ended; the others run.
    closed: set[str] = field(default_factory=set)
    #: What it answers to everything about one workflow or lane.
    failing: Mapping[str, Exception] = field(default_factory=dict)
    away: bool = False
    #: Takes connections, and says nothing.
    silent: bool = False

    @property
    def service_client(self) -> "FakeTemporal":
        return self

    async def check_health(self) -> bool:
        if self.silent:
            await asyncio.Event().wait()
        if self.away:
            raise rpc_error(RPCStatusCode.UNAVAILABLE)
        return True

    async def connect(self) -> Client:
        if self.away:
            raise RuntimeError("Temporal is away")
        return cast(Client, self)

    async def start_workflow(self, _workflow: Any, given: Any, **options: Any) -> None:
        self._fail(options["id"])
        if isinstance(given, NotificationRequest):
            self.notified.append((options["id"], given.delivery_id))
            return
        submission: Submission
        (submission,) = options["start_signal_args"]
        self.handed_over.append((options["id"], submission.deployment_id))

    def get_workflow_handle(self, workflow_id: str) -> "FakeHandle":
        return FakeHandle(self, workflow_id)

    def _fail(self, workflow_id: str) -> None:
        if error := self.failing.get(workflow_id):
            raise error


@dataclass(frozen=True)
class FakeHandle:
    temporal: FakeTemporal
    id: str

    async def cancel(self, **_: Any) -> None:
        self.temporal._fail(self.id)
        if self.id not in self.temporal.known:
            raise rpc_error(RPCStatusCode.NOT_FOUND)
        self.temporal.cancelled.append(self.id)

    async def describe(self, **_: Any) -> SimpleNamespace:
        is_closed = self.id in self.temporal.closed
        running, completed = WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED
        task = SimpleNamespace(attempt=1)
        return SimpleNamespace(
            status=completed if is_closed else running,
            raw_description=SimpleNamespace(pending_workflow_task=task),
        )
