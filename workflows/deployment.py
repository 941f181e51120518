"""One deployment: the deploy algorithm in sentences."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError
from temporalio.workflow import ActivityCancellationType, ParentClosePolicy

from activities.build import BuildActivities
from activities.generation import GenerationActivities
from activities.housekeeping import HousekeepingActivities
from activities.image import ImageActivities
from activities.inputs import (
    FailedRecord,
    Progress,
    StartedRecord,
    StepInput,
    StepResult,
    SucceededRecord,
    WaitingRecord,
)
from activities.record import RecordActivities
from activities.routing import RoutingActivities
from aweigh.core.errors import ImageGone, ProxyImageGone
from aweigh.deployments.deployment import DeploymentState, Reason, Standing
from aweigh.deployments.workflow_ids import commit_status_id
from workflows import policies
from workflows.commit_status import CommitStatusWorkflow, StatusOrder
from workflows.failure import MADE_AGAIN, Failure, failure_of, gone_in
from workflows.lane_child import LaneChild
from workflows.markdown import escaped
from workflows.names import (
    CONTROL_QUEUE,
    DEPLOYMENT_STATE,
    build_queue,
    pull_queue,
    steps_queue,
    waits_queue,
)
from workflows.persistence import to_the_end
from workflows.policies import Budget


@dataclass(frozen=True)
class DeploymentOrder:
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
    #: What a run found that a reset made of a deployment which had succeeded.
    detail: str = ""


@workflow.defn(name="DeploymentWorkflow")
class DeploymentWorkflow(LaneChild):
    """Makes one release live, or leaves the application as it was."""

    @workflow.init
    def __init__(self, order: DeploymentOrder) -> None:
        super().__init__(may_proceed=order.proceed)
        self._order = order
        self._step = StepInput(order.deployment_id, order.application_id, order.sequence)
        self._touched_server = False
        self._tells = False
        self._doing = ""
        self._times: Counter[str] = Counter()
        self._story: list[str] = []

    @workflow.signal
    def progress(self, progress: Progress) -> None:
        """A step says how far it is; what comes after its end is of no interest."""
        if progress.step == self._doing:
            self._show(f"- {progress.step} … {escaped(progress.detail)}")

    @workflow.run
    async def run(self, order: DeploymentOrder) -> DeploymentResult:
        try:
            result = await self._deploy(order)
        except FailureError:
            await to_the_end(self._tell_lane())
            raise
        await to_the_end(self._tell_lane())
        return result

    async def _deploy(self, order: DeploymentOrder) -> DeploymentResult:
        cause: BaseException | None = None
        try:
            ended = await self._ended_while_waiting() or await self._start()
            if ended is None:
                await self._make_live()
        except (asyncio.CancelledError, FailureError) as error:
            failure = failure_of(error, order.server, workflow.cancellation_reason())
            ended = await to_the_end(self._is_live_or_given_up(failure))
            cause = error
        if ended is None:
            await to_the_end(self._finish())
        elif ended.state is not DeploymentState.SUCCEEDED:
            raise ApplicationError(ended.message, type=ended.reason, non_retryable=True) from cause
        return DeploymentResult(DeploymentState.SUCCEEDED, ended.message if ended else "")

    async def _ended_while_waiting(self) -> Standing | None:
        """Wait for its turn; a run that a reset made of one that never had it waits in vain."""
        pause = policies.FIRST_ASK
        while not self._may_proceed and workflow.patched("asks-while-it-waits"):
            with suppress(TimeoutError):
                await workflow.wait_condition(lambda: self._may_proceed, timeout=pause)
                break
            record = WaitingRecord(self._order.deployment_id)
            standing: Standing = await self._record(RecordActivities.waiting, record, "ask record")
            if standing.state.ended:
                return self._as_recorded(standing)
            self._stop_if_cancelled()
            pause = min(pause * 2, policies.LONGEST_ASK)
        await self._turn()
        return None

    async def _start(self) -> Standing | None:
        """Record that it starts; if it had ended before, do nothing, and say how."""
        record = StartedRecord(self._order.deployment_id)
        answer = await self._record(RecordActivities.started, record, "record started")
        if not answer.proceed:
            return self._as_recorded(answer.standing)
        self._stop_if_cancelled()
        self._tell(DeploymentState.STARTED)
        return None

    def _as_recorded(self, ended: Standing) -> Standing:
        """Show that this run does nothing, and how the one that did something ended."""
        ended = replace(
            ended,
            reason=ended.reason or Reason.CANCELLED,
            message=ended.message or "It had ended before it began.",
        )
        self._tell(ended.state, f"{ended.message} This run changed nothing.")
        return ended

    async def _make_live(self) -> None:
        """Up to the point of no return; until there, any failure undoes everything.

        A step that finds gone what an earlier one made says so, and the order goes on from there.
        """
        ready = await self._do(HousekeepingActivities.preflight, policies.PREFLIGHT)
        self._touched_server, self._tells = True, ready.tells
        gone: str | None = ImageGone.kind
        for left in reversed(range(policies.MOST_TIMES_BACK + 1)):
            try:
                if gone == ProxyImageGone.kind:
                    await self._do(HousekeepingActivities.preflight, policies.PREFLIGHT)
                if gone == ImageGone.kind:
                    await self._have_image(ready)
                await self._go_live()
            except ActivityError as error:
                gone = gone_in(error)
                if gone is None or not left:
                    raise
                self._stop_if_cancelled()
                self._tell_people("again", MADE_AGAIN[gone])
            else:
                return

    async def _have_image(self, ready: StepResult) -> None:
        """Pull or build it, and run what has to run in it before anything is switched."""
        server = self._order.server
        if ready.builds:
            await self._do(BuildActivities.fetch, policies.PULL, queue=pull_queue(server))
            if self._times["fetch"] == 1:
                await self._tell_github(DeploymentState.STARTED)
            await self._do(BuildActivities.build, policies.BUILD, queue=build_queue(server))
        else:
            await self._do(ImageActivities.pull, policies.PULL, queue=pull_queue(server))
        if not ready.skip_release:
            await self._do(GenerationActivities.release, policies.RELEASE)

    async def _go_live(self) -> None:
        """What runs the image; none of these steps makes what is an earlier one's."""
        server = self._order.server
        await self._do(GenerationActivities.create, policies.CREATE)
        await self._do(GenerationActivities.health, policies.HEALTH, queue=waits_queue(server))
        await to_the_end(self._do(RoutingActivities.switch, policies.SWITCH, final=True))

    async def _finish(self) -> None:
        """Past the point of no return: what cannot be done now passes to the reconciler."""
        waits = waits_queue(self._order.server)
        await self._attempt(RoutingActivities.drain, policies.DRAIN, queue=waits)
        await self._attempt(GenerationActivities.remove, policies.REMOVE)
        record = SucceededRecord(self._order.deployment_id)
        await self._record(RecordActivities.succeeded, record, "record succeeded")
        self._tell(DeploymentState.SUCCEEDED)
        await self._tell_github(DeploymentState.SUCCEEDED)
        await self._attempt(HousekeepingActivities.sweep, policies.SWEEP)

    async def _is_live_or_given_up(self, failure: Failure) -> Standing | None:
        """Leave everything as it was, and say how the record stands; None: it is live after all."""
        if self._touched_server:
            try:
                undone = await self._do(GenerationActivities.undo, policies.UNDO, final=True)
                if undone.live and workflow.patched("live-after-all"):
                    return None
            except FailureError as error:
                failure = failure.not_undone(failure_of(error, self._order.server, None))
        record = FailedRecord(
            self._order.deployment_id, failure.reason, failure.message, failure.superseded_by
        )
        ended: Standing = await self._record(RecordActivities.failed, record, "record failed")
        if ended.state is DeploymentState.SUCCEEDED:
            self._tell(ended.state, f"{ended.message} This run did not succeed: {failure.message}")
            return ended
        ended = Standing(
            ended.state, ended.reason or failure.reason, ended.message or failure.message
        )
        more = f" This run: {failure.message}" if failure.message != ended.message else ""
        self._tell(DeploymentState.FAILED, f"{ended.reason}: {ended.message}{more}")
        await self._tell_github(DeploymentState.FAILED)
        return ended

    async def _attempt(self, step: Callable[..., Any], budget: Budget, *, queue: str = "") -> None:
        try:
            await self._do(step, budget, queue=queue, final=True)
        except FailureError as error:
            workflow.logger.warning("left to the reconciler: %s", error)

    async def _do(
        self, step: Callable[..., Any], budget: Budget, *, queue: str = "", final: bool = False
    ) -> StepResult:
        """Run one step on the server; a `final` one is not given up for a cancel."""
        self._doing = name = step.__name__
        self._times[name] += 1
        again = f"-{self._times[name]}" if self._times[name] > 1 else ""
        result: StepResult = await workflow.execute_activity(
            step,
            self._step,
            activity_id=f"{name}{again}",  # what an operator types to reset it
            task_queue=queue or steps_queue(self._order.server),
            heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=f"{name}{again} {self._order.slug} #{self._order.sequence}",
            **budget.options(),
        )
        if not final:
            self._stop_if_cancelled()
        self._tell_people(name, result.detail)
        return result

    def _stop_if_cancelled(self) -> None:
        """A cancel that arrives while an activity ends well is otherwise swallowed."""
        if workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError(workflow.cancellation_reason())

    async def _record(self, record: Callable[..., Any], what: Any, summary: str) -> Any:
        return await workflow.execute_activity(
            record,
            what,
            activity_id=summary.replace(" ", "_"),
            task_queue=CONTROL_QUEUE,
            summary=summary,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            **policies.RECORD.options(),
        )

    def _tell(self, state: DeploymentState, detail: str = "") -> None:
        workflow.upsert_search_attributes([DEPLOYMENT_STATE.value_set(state)])
        self._tell_people(state, detail)

    async def _tell_github(self, state: DeploymentState) -> None:
        """Begin to tell how it stands; that goes on by itself."""
        order = self._order
        if self._tells:
            with suppress(FailureError):  # the same is being told already
                await workflow.start_child_workflow(
                    CommitStatusWorkflow.run,
                    StatusOrder(order.deployment_id),
                    id=commit_status_id(order.slug, order.sequence, order.deployment_id, state),
                    parent_close_policy=ParentClosePolicy.ABANDON,
                    task_queue=CONTROL_QUEUE,
                    static_summary=f"status of {order.slug} #{order.sequence}",
                )

    def _tell_people(self, what: str, detail: str) -> None:
        self._doing = ""
        self._story.append(f"- **{what}** {escaped(detail)}")
        self._show()

    def _show(self, *more: str) -> None:
        workflow.set_current_details("\n".join((*self._story, *more)))
