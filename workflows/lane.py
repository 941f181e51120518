"""The lane: orders the deployments of one application; newest wins."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, Final

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import (
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from activities.inputs import TurnsAsked, TurnsKnown
from activities.turns import TurnActivities
from aweigh.deployments.application import Policy
from aweigh.deployments.deployment import DeploymentState
from aweigh.deployments.turn import Turn
from workflows import names, policies
from workflows.deployment import DeploymentOrder, DeploymentWorkflow
from workflows.failure import SUPERSEDED_BY
from workflows.lane_child import Adoption, ChildEnd
from workflows.removal import RemovalOrder, RemovalWorkflow

#: Far longer than any that Aweigh makes.
_LONGEST_ID: Final = 64


@dataclass(frozen=True)
class Asked:
    """Somebody asks for a deployment's turn; without an id, for that of the application's removal.

    It is an id and no more: whoever reaches Temporal can send one, so all else that counts is
    asked of the database.
    """

    deployment_id: str = ""


@dataclass(frozen=True)
class Adopted:
    """A child that another run of the lane started: Temporal tells this run nothing of it."""

    turn: Turn
    proceeding: bool = False
    cancelled: bool = False


@dataclass(frozen=True)
class LaneInput:
    """Where a lane continues as new, what it knew."""

    newest: Turn | None = None
    children: list[Adopted] = field(default_factory=list)


@dataclass
class _Entry:
    turn: Turn
    #: None where another run started it.
    child: ChildWorkflowHandle[Any, Any] | None
    proceeding: bool = False
    cancelled: bool = False
    #: It was told to say when it ends, which only the run that started it hears otherwise.
    adopted: bool = False
    ended: bool = False

    @property
    def done(self) -> bool:
        return self.ended or (self.child is not None and self.child.done())

    async def signal(self, name: str, *arguments: Any) -> None:
        """Signal the child; one that cannot be found has ended."""
        handle = self.child or workflow.get_external_workflow_handle(self.turn.workflow_id)
        try:
            await handle.signal(name, args=arguments)
        except FailureError:
            self.ended = True

    async def cancel(self, why: str) -> None:
        self.cancelled = True
        if self.child is not None:
            self.child.cancel(why)
            return
        try:
            handle = workflow.get_external_workflow_handle(self.turn.workflow_id)
            await handle.cancel(reason=why)
        except FailureError:
            self.ended = True


@workflow.defn(name="ApplicationLane")
class ApplicationLane:
    """Starts every turn as a child at once, and lets only the newest proceed.

    It ends when idle: the server refuses to close a workflow that a signal has just reached, so
    nothing is lost as long as nothing is awaited between the last look at the inbox and the return.
    One that is never idle continues as new before its history grows too long. The next run has no
    handles of the children, so they are told to say when they end.
    """

    @workflow.init
    def __init__(self, lane: LaneInput) -> None:
        self._inbox: list[str] = []
        self._newest = lane.newest
        self._entries = [
            _Entry(one.turn, None, one.proceeding, one.cancelled, adopted=True)
            for one in lane.children
        ]

    @workflow.signal
    def submit(self, asked: Asked) -> None:
        if len(asked.deployment_id) <= _LONGEST_ID:
            self._inbox.append(asked.deployment_id)

    @workflow.signal
    def child_ended(self, end: ChildEnd) -> None:
        """An adopted child says that it has ended; of its own, Temporal tells."""
        for entry in self._entries:
            entry.ended |= entry.child is None and entry.turn.workflow_id == end.child

    @workflow.run
    async def run(self, lane: LaneInput) -> None:
        await self._recall()
        while True:
            while self._inbox:
                await self._take_in()
            await self._order()
            self._entries = [entry for entry in self._entries if not _has_ended(entry)]
            if self._inbox:
                continue
            if not self._entries:
                return
            if workflow.info().is_continue_as_new_suggested():
                if await self._hand_over():
                    continue
                workflow.continue_as_new(self._continued())
            await self._wait()

    async def _recall(self) -> None:
        """Ask about what an earlier run handed over too: a lane can be started by hand."""
        handed_over = [entry.turn.deployment_id for entry in self._entries]
        if self._newest:
            handed_over.append(self._newest.deployment_id)
        known = {turn.workflow_id: turn for turn in await self._known(handed_over)}
        self._entries = [
            replace(entry, turn=known[entry.turn.workflow_id])
            for entry in self._entries
            if entry.turn.workflow_id in known
        ]
        self._newest = known.get(self._newest.workflow_id) if self._newest else None

    async def _take_in(self) -> None:
        """Start what is asked for and wants a turn indeed, the oldest first."""
        there = {entry.turn.deployment_id for entry in self._entries if not entry.turn.removal}
        # The relay repeats itself until the deployment's own record.
        asked = [one for one in dict.fromkeys(self._inbox) if one not in there]
        self._inbox = []
        turns = [turn for turn in await self._known(asked) if not turn.ended]
        for turn in turns:
            # Equal where a database was restored from a backup and counts on from there: it knows
            # of the later one only.
            if self._newest is None or turn.sequence >= self._newest.sequence:
                self._newest = turn
        # Alone, it need not be told to proceed: that would cost it a round trip.
        alone = turns == [self._newest] and not self._entries and not self._inbox
        await asyncio.gather(*(self._admit(turn, alone=alone) for turn in turns))

    async def _known(self, asked: list[str]) -> list[Turn]:
        """What the database says of them; of what it does not know, nothing."""
        if not asked:
            return []
        question = TurnsAsked(asked)
        answer: TurnsKnown
        try:
            answer = await workflow.execute_local_activity_method(
                TurnActivities.known, question, **policies.ASK_AT_ONCE.options()
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            # The database is away: this asks until it is back, and no task waits meanwhile.
            answer = await workflow.execute_activity_method(
                TurnActivities.known, question, task_queue=names.CONTROL_QUEUE,
                summary="ask turns", **policies.RECORD.options(),
            )  # fmt: skip
        return answer.turns

    async def _hand_over(self) -> bool:
        """Tell the children that the next run waits for them; False when all of them know."""
        untold = [entry for entry in self._entries if not entry.adopted]
        for entry in untold:
            await self._adopt(entry)
        return bool(untold)

    async def _adopt(self, entry: _Entry) -> None:
        await entry.signal("adopted", Adoption(workflow.info().workflow_id))
        entry.adopted = True

    def _continued(self) -> LaneInput:
        children = [Adopted(one.turn, one.proceeding, one.cancelled) for one in self._entries]
        return LaneInput(self._newest, children)

    async def _wait(self) -> None:
        """Wait until something happens; a child that was terminated tells nobody that it ended."""
        adopted = [entry for entry in self._entries if entry.child is None]
        try:
            await workflow.wait_condition(
                self._something_happened, timeout=policies.ASK_ADOPTED if adopted else None
            )
        except TimeoutError:
            for entry in adopted:
                await self._adopt(entry)

    def _something_happened(self) -> bool:
        return bool(self._inbox) or any(entry.done for entry in self._entries)

    async def _admit(self, turn: Turn, *, alone: bool) -> None:
        if any(entry.turn.workflow_id == turn.workflow_id for entry in self._entries):
            return
        try:
            child = await self._start(turn, proceed=alone)
        except WorkflowAlreadyStartedError:
            # The child of a lane that was terminated; or it has ended, and this is a repetition.
            entry = _Entry(turn, None)
            await self._adopt(entry)
            if not entry.ended:
                self._entries.append(entry)
        else:
            self._entries.append(_Entry(turn, child, proceeding=alone))

    async def _start(self, turn: Turn, *, proceed: bool) -> ChildWorkflowHandle[Any, Any]:
        options: dict[str, Any] = {
            "id": turn.workflow_id,
            "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
            "parent_close_policy": ParentClosePolicy.ABANDON,
            "search_attributes": _attributes(turn),
            "priority": policies.share_of(turn.slug),
        }
        if turn.removal:
            removal = RemovalOrder(
                turn.application_id, turn.slug, turn.server, turn.sequence, turn.volumes, proceed
            )
            summary = f"remove {turn.slug} from {turn.server}"
            return await workflow.start_child_workflow(
                RemovalWorkflow.run, removal, static_summary=summary, **options
            )
        order = DeploymentOrder(
            turn.deployment_id, turn.application_id, turn.slug, turn.server, turn.sequence,
            turn.reference, proceed,
        )  # fmt: skip
        summary = f"{turn.slug}@{turn.label} → {turn.server}"
        return await workflow.start_child_workflow(
            DeploymentWorkflow.run, order, static_summary=summary[:200], **options
        )

    async def _order(self) -> None:
        """Cancel what is superseded; once nothing older is left, let the newest proceed."""
        newest = self._newest
        if newest is None:
            return
        older = [entry for entry in self._entries if entry.turn.workflow_id != newest.workflow_id]
        for entry in older:
            finishing = entry.proceeding and newest.policy is Policy.QUEUE
            if not (finishing or entry.cancelled or entry.done):
                await entry.cancel(f"{SUPERSEDED_BY}{newest.name}")
        if not all(entry.done for entry in older):
            return
        for entry in self._entries:
            if entry not in older and not entry.proceeding:
                entry.proceeding = True
                await entry.signal("proceed")


def _has_ended(entry: _Entry) -> bool:
    """Whether the child is done; how it ended is its own record's affair, never the lane's."""
    if not entry.done:
        return False
    if entry.child is not None and entry.child.done() and not entry.child.cancelled():
        entry.child.exception()
    return True


def _attributes(turn: Turn) -> TypedSearchAttributes:
    values = {
        names.APPLICATION_ID: turn.application_id,
        names.APPLICATION_NAME: turn.slug,
        names.SERVER_NAME: turn.server,
        names.REFERENCE: turn.reference[:255],
        names.DEPLOYMENT_STATE: DeploymentState.CREATED.value,
    }
    return TypedSearchAttributes([SearchAttributePair(key, value) for key, value in values.items()])
