"""The lane orders the deployments of one application: the newest wins."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final

from temporalio import workflow
from temporalio.exceptions import (
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

from activities.inputs import TurnsInput
from activities.turns import TurnActivities
from aweigh.deployments.application import Policy
from aweigh.deployments.turn import Turn
from workflows import names, policies
from workflows.failure import SUPERSEDED_BY
from workflows.lane_child import ChildEnd
from workflows.lane_entry import LaneEntry, start_child

#: Far longer than any id that Aweigh makes.
_LONGEST_ID: Final = 64


@dataclass(frozen=True)
class Submission:
    """A deployment that wants its turn; an empty id means the removal of the application.

    Anyone who reaches Temporal can send one, so the lane reads everything else from the database.
    """

    deployment_id: str = ""


@dataclass(frozen=True)
class RunningChild:
    """A child that an earlier run of the lane started."""

    turn: Turn
    proceeding: bool = False
    cancelled: bool = False


@dataclass(frozen=True)
class LaneInput:
    """The knowledge of the run that this one continues."""

    newest: Turn | None = None
    children: list[RunningChild] = field(default_factory=list)


@workflow.defn(name="ApplicationLane")
class ApplicationLane:
    """Starts every turn as a child at once, and lets only the newest proceed.

    It ends when idle: the server refuses to close a workflow that a signal has just reached, so
    nothing is lost as long as nothing is awaited between the last look at the inbox and the return.
    A lane that is never idle continues as new before its history grows too long. The next run has
    no handles of the children, so they are asked to report their end by signal.
    """

    @workflow.init
    def __init__(self, lane: LaneInput) -> None:
        self._inbox: list[str] = []
        self._newest = lane.newest
        self._entries = [
            LaneEntry(one.turn, None, one.proceeding, one.cancelled, reports_end=True)
            for one in lane.children
        ]

    @workflow.signal
    def submit(self, submission: Submission) -> None:
        if len(submission.deployment_id) <= _LONGEST_ID:
            self._inbox.append(submission.deployment_id)

    @workflow.signal
    def child_ended(self, end: ChildEnd) -> None:
        """A child of an earlier run has ended; of this run's children, Temporal reports the end."""
        for entry in self._entries:
            entry.closed |= entry.child is None and entry.turn.workflow_id == end.child

    @workflow.run
    async def run(self, lane: LaneInput) -> None:
        await self._check_input()
        while True:
            while self._inbox:
                await self._start_submitted()
            await self._order()
            self._entries = [entry for entry in self._entries if not entry.ended]
            if self._inbox:
                continue
            if not self._entries:
                return
            if workflow.info().is_continue_as_new_suggested():
                if await self._request_end_reports():
                    continue
                workflow.continue_as_new(self._input_of_next_run())
            await self._wait()

    async def _check_input(self) -> None:
        """Read the turns of the input from the database: a lane can be started by hand."""
        ids = [entry.turn.deployment_id for entry in self._entries]
        if self._newest:
            ids.append(self._newest.deployment_id)
        known = {turn.workflow_id: turn for turn in await self._read_turns(ids)}
        self._entries = [
            replace(entry, turn=known[entry.turn.workflow_id])
            for entry in self._entries
            if entry.turn.workflow_id in known
        ]
        self._newest = known.get(self._newest.workflow_id) if self._newest else None

    async def _start_submitted(self) -> None:
        """Start the submitted deployments that have not ended, the oldest first."""
        there = {entry.turn.deployment_id for entry in self._entries if not entry.turn.removal}
        # The relay submits a deployment again until its workflow has recorded the start.
        submitted = [one for one in dict.fromkeys(self._inbox) if one not in there]
        self._inbox = []
        turns = [turn for turn in await self._read_turns(submitted) if not turn.ended]
        for turn in turns:
            # A database restored from a backup can give a sequence twice; it knows only the later.
            if self._newest is None or turn.sequence >= self._newest.sequence:
                self._newest = turn
        # A deployment that is alone proceeds at once, which saves it the signal.
        alone = turns == [self._newest] and not self._entries and not self._inbox
        await asyncio.gather(*(self._start(turn, proceed=alone) for turn in turns))

    async def _read_turns(self, ids: list[str]) -> list[Turn]:
        """Return the turns that the database knows."""
        if not ids:
            return []
        submitted = TurnsInput(ids)
        try:
            known = await workflow.execute_local_activity_method(
                TurnActivities.read, submitted, **policies.LOCAL_QUERY.options()
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            # The database is away: a regular activity waits for it without holding a task.
            known = await workflow.execute_activity_method(
                TurnActivities.read, submitted, task_queue=names.CONTROL_QUEUE,
                summary="read turns", **policies.RECORD.options(),
            )  # fmt: skip
        return known.turns

    async def _start(self, turn: Turn, *, proceed: bool) -> None:
        if any(entry.turn.workflow_id == turn.workflow_id for entry in self._entries):
            return
        try:
            child = await start_child(turn, proceed=proceed)
        except WorkflowAlreadyStartedError:
            # Its lane was terminated; or it has ended, and the submission is a repetition.
            entry = LaneEntry(turn)
            await entry.request_end_report()
            if not entry.closed:
                self._entries.append(entry)
        else:
            self._entries.append(LaneEntry(turn, child, proceeding=proceed))

    async def _order(self) -> None:
        """Cancel the superseded deployments; once they have ended, let the newest proceed."""
        newest = self._newest
        if newest is None:
            return
        older = [entry for entry in self._entries if entry.turn.workflow_id != newest.workflow_id]
        for entry in older:
            may_finish = entry.proceeding and newest.policy is Policy.QUEUE
            if not (may_finish or entry.cancelled or entry.ended):
                await entry.cancel(f"{SUPERSEDED_BY}{newest.name}")
        if not all(entry.ended for entry in older):
            return
        for entry in self._entries:
            if entry not in older and not entry.proceeding:
                await entry.let_proceed()

    async def _request_end_reports(self) -> bool:
        """Ask the children to report their end to the next run; False if all were asked before."""
        silent = [entry for entry in self._entries if not entry.reports_end]
        for entry in silent:
            await entry.request_end_report()
        return bool(silent)

    def _input_of_next_run(self) -> LaneInput:
        children = [RunningChild(one.turn, one.proceeding, one.cancelled) for one in self._entries]
        return LaneInput(self._newest, children)

    async def _wait(self) -> None:
        """Wait for a submission or an end; a terminated child of an earlier run reports none."""
        of_earlier_runs = [entry for entry in self._entries if entry.child is None]
        try:
            await workflow.wait_condition(
                lambda: bool(self._inbox) or any(entry.ended for entry in self._entries),
                timeout=policies.CHILD_CHECK_INTERVAL if of_earlier_runs else None,
            )
        except TimeoutError:
            for entry in of_earlier_runs:
                await entry.request_end_report()
