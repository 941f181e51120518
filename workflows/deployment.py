"""One deployment: the deploy algorithm in sentences."""

import asyncio
from dataclasses import dataclass, replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

from activities.inputs import (
    FailedRecord,
    PreflightResult,
    RecordedStateInput,
    StartedRecord,
    StepInput,
    SucceededRecord,
)
from activities.record import RecordActivities
from aweigh.deployments.deployment import DeploymentState, Reason, RecordedState
from aweigh.deployments.step_errors import (
    ImageGone,
    ProxyImageGone,
)
from workflows import policies, steps
from workflows.announcements import Announcements
from workflows.failure import PROVIDED_AGAIN, Failure, failure_of, gone_in
from workflows.lane_child import LaneChild
from workflows.records import record
from workflows.shield import shield_until_done
from workflows.steps import Result, Step, StepRunner


@dataclass(frozen=True)
class DeploymentRequest:
    """One deployment, as its lane starts it."""

    deployment_id: str
    application_id: str
    slug: str
    server: str
    sequence: int
    reference: str
    #: Nothing older was in the way when the lane started it.
    proceed: bool = False


@dataclass(frozen=True)
class DeploymentResult:
    state: DeploymentState
    #: Of a reset run that changed nothing: what is live instead.
    detail: str = ""


@workflow.defn(name="DeploymentWorkflow")
class DeploymentWorkflow(LaneChild):
    """Makes one release live, or leaves the application as it was."""

    @workflow.init
    def __init__(self, request: DeploymentRequest) -> None:
        super().__init__(may_proceed=request.proceed)
        self._id = request.deployment_id
        self._server = request.server
        step = StepInput(request.deployment_id, request.application_id, request.sequence)
        self._steps = StepRunner(step, request.slug, request.server)
        self._announcements = Announcements(self._id, request.slug, request.sequence)
        self._touched_server = False

    @workflow.run
    async def run(self, request: DeploymentRequest) -> DeploymentResult:
        async with self._reporting_end():
            ended = await self._deploy()
        if ended.state is not DeploymentState.SUCCEEDED:
            raise ApplicationError(ended.message, type=ended.reason, non_retryable=True)
        return DeploymentResult(ended.state, ended.message)

    async def _deploy(self) -> RecordedState:
        """Deploy, and return how the record of the deployment stands at the end."""
        try:
            if ended := await self._wait_for_turn_or_end() or await self._start():
                return ended
            await self._make_live()
        except (asyncio.CancelledError, FailureError) as error:
            failure = failure_of(error, self._server, workflow.cancellation_reason())
            failed = await shield_until_done(self._undo(failure))
            if failed:
                return await shield_until_done(self._record_failure(failed))
        await shield_until_done(self._finish())
        return RecordedState(DeploymentState.SUCCEEDED)

    async def _wait_for_turn_or_end(self) -> RecordedState | None:
        """Wait for the turn; return the record if the deployment has ended instead.

        A reset run of a deployment that never had its turn waits for a lane that has forgotten it.
        """
        pause = policies.FIRST_RECORD_CHECK
        while not self._may_proceed:
            try:
                await workflow.wait_condition(lambda: self._may_proceed, timeout=pause)
            except TimeoutError:
                read = await record(
                    RecordActivities.standing, RecordedStateInput(self._id), "read record"
                )
                if read.standing.state.ended:
                    return self._end_without_change(read.standing)
                self._stop_if_cancelled()
                pause = min(pause * 2, policies.LONGEST_RECORD_CHECK)
        return None

    async def _start(self) -> RecordedState | None:
        """Record the start; return the record if the deployment had ended before."""
        started = await record(RecordActivities.started, StartedRecord(self._id), "record started")
        if not started.proceed:
            return self._end_without_change(started.standing)
        self._stop_if_cancelled()
        self._announcements.show_state(DeploymentState.STARTED)
        return None

    def _end_without_change(self, recorded: RecordedState) -> RecordedState:
        ended = replace(
            recorded,
            reason=recorded.reason or Reason.CANCELLED,
            message=recorded.message or "The deployment was closed before its workflow started.",
        )
        self._announcements.show_state(ended.state, f"{ended.message} This run changed nothing.")
        return ended

    async def _make_live(self) -> None:
        """Run the steps up to the point of no return; until there, any failure undoes everything.

        A step that finds the work of an earlier one gone says so, and the steps from there on run
        again.
        """
        preflight = await self._run(steps.PREFLIGHT)
        self._touched_server = True
        self._announcements.reports_commit_status = preflight.reports_commit_status
        gone: str | None = ImageGone.kind
        for repeats_left in reversed(range(policies.MAX_REPEATS + 1)):
            try:
                if gone == ProxyImageGone.kind:
                    await self._run(steps.PREFLIGHT)
                if gone == ImageGone.kind:
                    await self._provide_image(preflight)
                await self._go_live()
            except ActivityError as error:
                gone = gone_in(error)
                if gone is None or not repeats_left:
                    raise
                self._stop_if_cancelled()
                self._announcements.add_to_story("again", PROVIDED_AGAIN[gone])
            else:
                return

    async def _provide_image(self, preflight: PreflightResult) -> None:
        """Pull or build the image, and run the release command in it."""
        if preflight.builds_image:
            await self._run(steps.FETCH)
            await self._announcements.report_commit_status(DeploymentState.STARTED)
            await self._run(steps.BUILD)
        else:
            await self._run(steps.PULL)
        if preflight.has_release_command:
            await self._run(steps.RELEASE)

    async def _go_live(self) -> None:
        """Run the image, and switch to it: the point of no return."""
        await self._run(steps.CREATE)
        await self._run(steps.HEALTH)
        await shield_until_done(self._complete(steps.SWITCH))

    async def _finish(self) -> None:
        """Remove what was live before, and record the success, which nothing can undo."""
        await self._attempt(steps.DRAIN)
        await self._attempt(steps.REMOVE)
        await record(RecordActivities.succeeded, SucceededRecord(self._id), "record succeeded")
        self._announcements.show_state(DeploymentState.SUCCEEDED)
        await self._announcements.report_commit_status(DeploymentState.SUCCEEDED)
        await self._attempt(steps.SWEEP)

    async def _undo(self, failure: Failure) -> Failure | None:
        """Leave the application as it was; return None if the deployment is live after all."""
        if not self._touched_server:
            return failure
        try:
            undone = await self._complete(steps.UNDO)
        except FailureError as error:
            return failure.not_undone(failure_of(error, self._server, None))
        return None if undone.live else failure

    async def _record_failure(self, failure: Failure) -> RecordedState:
        """Record the failure, and show how the record stands: it may have ended before this run."""
        failed = await record(
            RecordActivities.failed,
            FailedRecord(self._id, failure.reason, failure.message, failure.superseded_by),
            "record failed",
        )
        ended = failed.standing
        if ended.state is DeploymentState.SUCCEEDED:
            detail = f"{ended.message} This run did not succeed: {failure.message}"
            self._announcements.show_state(ended.state, detail)
            return ended
        reason, message = ended.reason or failure.reason, ended.message or failure.message
        this_run = f" This run: {failure.message}" if failure.message != message else ""
        self._announcements.show_state(DeploymentState.FAILED, f"{reason}: {message}{this_run}")
        await self._announcements.report_commit_status(DeploymentState.FAILED)
        return RecordedState(ended.state, reason, message)

    async def _run(self, step: Step[Result]) -> Result:
        """Run a step, and stop after it if a cancel has arrived meanwhile."""
        result = await self._complete(step)
        self._stop_if_cancelled()
        return result

    async def _complete(self, step: Step[Result]) -> Result:
        """Run a step, and go on after it whether or not a cancel has arrived."""
        result = await self._steps.run(step)
        self._announcements.add_to_story(step.name, result.detail)
        return result

    async def _attempt(self, step: Step[Result]) -> None:
        """Run a step that the reconciler does later if it fails."""
        try:
            await self._complete(step)
        except FailureError as error:
            workflow.logger.warning("%s is left to the reconciler: %s", step.name, error)

    def _stop_if_cancelled(self) -> None:
        """Raise the cancel that an activity swallowed by succeeding meanwhile."""
        if workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError(workflow.cancellation_reason())
