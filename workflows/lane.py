"""The lane: orders the deployments of one application; newest wins."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from aweigh.domain.application import Policy
from aweigh.domain.deployment import DeploymentState
from aweigh.domain.workflow_ids import deployment_workflow_id, removal_workflow_id
from workflows import names
from workflows.deployment import DeploymentOrder, DeploymentWorkflow
from workflows.failure import SUPERSEDED_BY
from workflows.removal import RemovalOrder, RemovalWorkflow


@dataclass(frozen=True)
class Turn:
    """A deployment or, with `removal`, the removal of the application, that wants its turn."""

    application_id: str
    slug: str
    server: str
    sequence: int
    deployment_id: str = ""
    reference: str = ""
    policy: Policy = Policy.SUPERSEDE
    removal: bool = False
    volumes: bool = False
    #: What is deployed, in a few characters: a tag, or a branch and its commit.
    label: str = ""

    @property
    def name(self) -> str:
        return "the removal of the application" if self.removal else self.deployment_id

    @property
    def workflow_id(self) -> str:
        if self.removal:
            return removal_workflow_id(self.slug, self.sequence)
        return deployment_workflow_id(self.slug, self.sequence, self.deployment_id)


@dataclass(frozen=True)
class LaneInput:
    application_id: str


@dataclass
class _Entry:
    turn: Turn
    child: ChildWorkflowHandle[Any, Any]
    proceeding: bool = False
    cancelled: bool = False


@workflow.defn(name="ApplicationLane")
class ApplicationLane:
    """Starts every turn as a child at once, and lets only the newest proceed.

    It ends when idle: the server refuses to close a workflow that a signal has just reached, so
    nothing is lost as long as nothing is awaited between the last look at the inbox and the return.
    """

    @workflow.init
    def __init__(self, lane: LaneInput) -> None:
        self._inbox: list[Turn] = []
        self._entries: list[_Entry] = []
        self._newest: Turn | None = None

    @workflow.signal
    def submit(self, turn: Turn) -> None:
        self._inbox.append(turn)

    @workflow.run
    async def run(self, lane: LaneInput) -> None:
        while True:
            while self._inbox:
                await self._admit(self._inbox.pop(0))
            await self._order()
            self._entries = [entry for entry in self._entries if not _has_ended(entry)]
            if self._inbox:
                continue
            if not self._entries:
                return
            await workflow.wait_condition(self._something_happened)

    def _something_happened(self) -> bool:
        return bool(self._inbox) or any(entry.child.done() for entry in self._entries)

    async def _admit(self, turn: Turn) -> None:
        if any(entry.turn.workflow_id == turn.workflow_id for entry in self._entries):
            return  # the relay repeats itself until the deployment's own record
        # Equal where a database was restored from a backup and counts on from there: it knows of
        # the later one only.
        if self._newest is None or turn.sequence >= self._newest.sequence:
            self._newest = turn
        # Alone, it need not be told to proceed: that would cost it a round trip.
        alone = turn is self._newest and not self._entries and not self._inbox
        try:
            child = await self._start(turn, proceed=alone)
        except WorkflowAlreadyStartedError:
            await self._heal(turn)
        else:
            self._entries.append(_Entry(turn, child, proceeding=alone))

    async def _start(self, turn: Turn, *, proceed: bool) -> ChildWorkflowHandle[Any, Any]:
        options: dict[str, Any] = {
            "id": turn.workflow_id,
            "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
            "parent_close_policy": ParentClosePolicy.ABANDON,
            "search_attributes": _attributes(turn),
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

    async def _heal(self, turn: Turn) -> None:
        """A child of a lane that was terminated: it may still wait for the word to proceed."""
        if turn is not self._newest:
            return
        child = workflow.get_external_workflow_handle(turn.workflow_id)
        with suppress(FailureError):  # it has closed meanwhile
            await child.signal("proceed")

    async def _order(self) -> None:
        """Cancel what is superseded; once nothing older is left, let the newest proceed."""
        newest = self._newest
        if newest is None:
            return
        older = [entry for entry in self._entries if entry.turn is not newest]
        for entry in older:
            finishing = entry.proceeding and newest.policy is Policy.QUEUE
            if not (finishing or entry.cancelled or entry.child.done()):
                entry.cancelled = True
                entry.child.cancel(f"{SUPERSEDED_BY}{newest.name}")
        if not all(entry.child.done() for entry in older):
            return
        for entry in self._entries:
            if entry.turn is newest and not entry.proceeding:
                entry.proceeding = True
                with suppress(FailureError):  # closed meanwhile; it is taken off the list next
                    await entry.child.signal("proceed")


def _has_ended(entry: _Entry) -> bool:
    """Whether the child is done; how it ended is its own record's affair, never the lane's."""
    if not entry.child.done():
        return False
    if not entry.child.cancelled():
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
