"""One entry of a lane: a turn and the workflow that runs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypedDict

from temporalio import workflow
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import FailureError
from temporalio.workflow import ChildWorkflowHandle, ExternalWorkflowHandle, ParentClosePolicy

from aweigh.deployments.deployment import DeploymentState
from aweigh.deployments.turn import Turn
from workflows import names, policies
from workflows.deployment import DeploymentRequest, DeploymentResult, DeploymentWorkflow
from workflows.lane_child import EndListener, LaneChild
from workflows.removal import RemovalRequest, RemovalWorkflow

Child: TypeAlias = (
    ChildWorkflowHandle[DeploymentWorkflow, DeploymentResult]
    | ChildWorkflowHandle[RemovalWorkflow, None]
)


@dataclass
class LaneEntry:
    turn: Turn
    #: None if another run of the lane started it.
    child: Child | None = None
    proceeding: bool = False
    cancelled: bool = False
    #: It reports its end by signal, because Temporal reports it to another run of the lane.
    reports_end: bool = False
    #: It has reported its end, or cannot be found.
    closed: bool = False

    @property
    def ended(self) -> bool:
        """Whether the workflow has ended; its own record says how, so the outcome is dropped."""
        if self.child is None or not self.child.done():
            return self.closed
        if not self.child.cancelled():
            self.child.exception()  # asyncio logs exceptions that nobody retrieves
        return True

    async def let_proceed(self) -> None:
        self.proceeding = True
        with self._closed_if_not_found():
            await self._handle.signal(LaneChild.proceed)

    async def request_end_report(self) -> None:
        self.reports_end = True
        with self._closed_if_not_found():
            listener = EndListener(workflow.info().workflow_id)
            await self._handle.signal(LaneChild.report_end_to, listener)

    async def cancel(self, reason: str) -> None:
        self.cancelled = True
        if self.child is not None:
            self.child.cancel(reason)
            return
        with self._closed_if_not_found():
            await self._external.cancel(reason=reason)

    @property
    def _handle(self) -> Child | ExternalWorkflowHandle[Any]:
        return self.child or self._external

    @property
    def _external(self) -> ExternalWorkflowHandle[Any]:
        return workflow.get_external_workflow_handle(self.turn.workflow_id)

    @contextmanager
    def _closed_if_not_found(self) -> Iterator[None]:
        try:
            yield
        except FailureError:
            self.closed = True


class _ChildOptions(TypedDict):
    id: str
    id_reuse_policy: WorkflowIDReusePolicy
    parent_close_policy: ParentClosePolicy
    search_attributes: TypedSearchAttributes
    priority: Priority


async def start_child(turn: Turn, *, proceed: bool) -> Child:
    """Start the deployment or the removal; with `proceed` it does not wait for the lane.

    Raises:
        WorkflowAlreadyStartedError: another run of the lane has started it.
    """
    options = _ChildOptions(
        id=turn.workflow_id,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        parent_close_policy=ParentClosePolicy.ABANDON,
        search_attributes=_search_attributes(turn),
        priority=policies.share_of(turn.slug),
    )
    if turn.removal:
        removal = RemovalRequest(
            turn.application_id, turn.slug, turn.server, turn.sequence, turn.volumes, proceed
        )
        summary = f"remove {turn.slug} from {turn.server}"
        return await workflow.start_child_workflow(
            RemovalWorkflow.run, removal, static_summary=summary, **options
        )
    deployment = DeploymentRequest(
        turn.deployment_id, turn.application_id, turn.slug, turn.server, turn.sequence,
        turn.reference, proceed,
    )  # fmt: skip
    summary = f"{turn.slug}@{turn.label} → {turn.server}"
    return await workflow.start_child_workflow(
        DeploymentWorkflow.run, deployment, static_summary=summary[:200], **options
    )


def _search_attributes(turn: Turn) -> TypedSearchAttributes:
    values = {
        names.APPLICATION_ID: turn.application_id,
        names.APPLICATION_NAME: turn.slug,
        names.SERVER_NAME: turn.server,
        names.REFERENCE: turn.reference[:255],
        names.DEPLOYMENT_STATE: DeploymentState.CREATED.value,
    }
    return TypedSearchAttributes([SearchAttributePair(key, value) for key, value in values.items()])
