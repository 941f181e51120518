"""A made-up server world behind the activities of a deployment, and what is recorded of it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.inputs import (
    CommitStatusInput,
    CommitStatusResult,
    FailedRecord,
    FailedResult,
    PreflightResult,
    RecordedStateInput,
    RemovalInput,
    RemovalRecord,
    RemovalRecordResult,
    RemovalResult,
    StandingResult,
    StartedRecord,
    StartedResult,
    StepInput,
    StepResult,
    SucceededRecord,
    SucceededResult,
    TurnsInput,
    TurnsResult,
    UndoResult,
)
from aweigh.deployments.deployment import DeploymentState, Reason, RecordedState
from aweigh.deployments.turn import Turn
from aweigh.deployments.workflow_ids import slug_of_lane

STEPS = (
    "preflight", "fetch", "build", "pull", "release", "create", "health",
    "switch", "drain", "remove", "sweep", "undo",
)  # fmt: skip


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
    #: What was asked of the API, by the ids of deployments; "" is the removal.
    turns: dict[str, Turn] = field(default_factory=dict)
    #: What the lane asked about; and whether the database is away for it.
    asked: list[str] = field(default_factory=list)
    database_away: bool = False
    removed: list[str] = field(default_factory=list)
    removals: list[RemovalRecord] = field(default_factory=list)
    #: What a step of a deployment raises, one after the other: (deployment or "", step) → errors.
    faults: dict[tuple[str, str], list[BaseException]] = field(default_factory=dict)
    #: Steps that wait until they are let go, or cancelled.
    held: dict[tuple[str, str], asyncio.Event] = field(default_factory=dict)
    #: Whether a held step that is cancelled raises its fault instead of the cancellation.
    fails_when_cancelled: bool = False
    reached: dict[tuple[str, str], asyncio.Event] = field(
        default_factory=lambda: defaultdict(asyncio.Event)
    )
    inside: int = 0
    most_inside: int = 0
    switches: list[int] = field(default_factory=list)
    #: Whether images are built here, not pulled.
    builds: bool = False
    #: Whether GitHub takes commit statuses; the reports, each with the record at that time.
    reports_commit_status: bool = False
    reported: list[tuple[str, str]] = field(default_factory=list)
    #: Whether a switch succeeds and its result is lost.
    loses_switch_result: bool = False

    def known(self, asked: str) -> Turn | None:
        turn = self.turns.get(asked)
        ended = not {"succeeded", "failed"}.isdisjoint(self.records[asked])
        return turn and replace(turn, ended=ended)

    def hold(self, step: str, deployment: str = "") -> asyncio.Event:
        return self.held.setdefault((deployment, step), asyncio.Event())

    async def step(self, name: str, given: StepInput) -> StepResult:
        self.ran.append((given.deployment_id, name))
        for key in ((given.deployment_id, name), ("", name)):
            self.reached[key].set()
            if key in self.held:
                try:
                    await _let_go(self.held[key])
                except asyncio.CancelledError:
                    if not self.fails_when_cancelled:
                        raise
            if self.faults.get(key):
                raise self.faults[key].pop(0)
        getattr(self, f"_{name}", lambda _: None)(given)
        if name == "switch" and self.loses_switch_result:
            raise ApplicationError(
                "the result is lost", type=Reason.SERVER_OFFLINE, non_retryable=True
            )
        return self._result(name, given)

    def _result(self, name: str, given: StepInput) -> StepResult:
        detail = f"{name} done"
        if name == "preflight":
            return PreflightResult(
                detail,
                builds_image=self.builds,
                reports_commit_status=self.reports_commit_status,
            )
        if name == "undo":
            return UndoResult(detail, live=self.live == given.deployment_id)
        return StepResult(detail)

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
        if self.live == given.deployment_id:
            return
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


def steps(world: World) -> list[Callable[..., Any]]:
    def make(name: str) -> Callable[..., Any]:
        @activity.defn(name=name)
        async def step(given: StepInput) -> StepResult:
            return await world.step(name, given)

        return step

    return [make(name) for name in STEPS]


def removal(world: World) -> Callable[..., Any]:
    @activity.defn(name="remove_application")
    async def remove_application(given: RemovalInput) -> RemovalResult:
        world.removed.append(given.application_id)
        world.containers.clear()
        world.live = None
        return RemovalResult()

    return remove_application


class FakeRecords:
    """The control worker's records, kept in the world of the deployment's server."""

    def __init__(self) -> None:
        self.worlds: dict[str, World] = {}
        self.ended_before: set[str] = set()
        #: How records stand that say otherwise than their workflow's run.
        self.standings: dict[str, RecordedState] = {}

    def _world(self, deployment: str) -> World:
        return self.worlds[deployment.split(".")[0]]

    @activity.defn(name="read_turns")
    async def read(self, submitted: TurnsInput) -> TurnsResult:
        world = self.worlds[slug_of_lane(activity.info().workflow_id or "")]
        world.asked.extend(submitted.deployment_ids)
        if world.database_away:
            raise ApplicationError("the database does not answer", type=Reason.INTERNAL)
        found = [turn for one in submitted.deployment_ids if (turn := world.known(one))]
        return TurnsResult(sorted(found, key=lambda turn: turn.sequence))

    @activity.defn(name="record_started")
    async def started(self, record: StartedRecord) -> StartedResult:
        world, key = self._world(record.deployment_id), (record.deployment_id, "record started")
        world.reached[key].set()
        if key in world.held:
            await world.held[key].wait()
        world.records[record.deployment_id].append("started")
        standing = self.standings.get(record.deployment_id, RecordedState())
        return StartedResult(record.deployment_id not in self.ended_before, standing)

    @activity.defn(name="read_record")
    async def standing(self, asked: RecordedStateInput) -> StandingResult:
        world, key = self._world(asked.deployment_id), (asked.deployment_id, "read record")
        world.reached[key].set()
        if key in world.held:
            await world.held[key].wait()
        waiting = RecordedState(DeploymentState.CREATED)
        return StandingResult(self.standings.get(asked.deployment_id, waiting))

    @activity.defn(name="record_succeeded")
    async def succeeded(self, record: SucceededRecord) -> SucceededResult:
        self._world(record.deployment_id).records[record.deployment_id].append("succeeded")
        return SucceededResult()

    @activity.defn(name="record_failed")
    async def failed(self, record: FailedRecord) -> FailedResult:
        world = self._world(record.deployment_id)
        world.records[record.deployment_id].append("failed")
        world.failures[record.deployment_id] = record
        return FailedResult(self.standings.get(record.deployment_id, RecordedState()))

    @activity.defn(name="report_commit_status")
    async def report(self, given: CommitStatusInput) -> CommitStatusResult:
        world = self._world(given.deployment_id)
        world.reported.append((given.deployment_id, world.records[given.deployment_id][-1]))
        return CommitStatusResult("reported")

    @activity.defn(name="record_removal")
    async def removal(self, record: RemovalRecord) -> RemovalRecordResult:
        world = self._world(record.application_id)
        world.records[record.application_id].append(record.failure or "removed")
        world.removals.append(record)
        return RemovalRecordResult()
