"""What to make of a deployment that the database holds open, given what Temporal says of it."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from aweigh.deployments.deployment import DeploymentState

#: The sum of the budgets of all steps, twelve hours of it for a build and its turn: no healthy
#: deployment takes longer.
DEADLINE: Final = timedelta(hours=20)


class WorkflowStatus(StrEnum):
    """What Temporal knows of a deployment's workflow."""

    RUNNING = "running"
    #: Its task keeps failing: nothing will come of it.
    STUCK = "stuck"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What the reconciler does with it."""

    LEAVE = "leave"
    HAND_OVER = "hand_over"
    TERMINATED = "terminated"
    TIMED_OUT = "timed_out"
    SUCCEEDED = "succeeded"


def judge(
    state: DeploymentState,
    status: WorkflowStatus,
    *,
    started_at: datetime | None,
    now: datetime,
    live: bool | None,
) -> Verdict:
    """`live`: the server's committed file names the deployment, and it answers.

    None says that nobody can tell. Then one that has begun on the server is left, until it is
    late: it may have become live, and would have to stay so.
    """
    late = started_at is not None and now - started_at > DEADLINE
    if status is WorkflowStatus.RUNNING and not late:
        return Verdict.LEAVE
    if status is WorkflowStatus.UNKNOWN and state is DeploymentState.CREATED:
        return Verdict.HAND_OVER
    if live:
        return Verdict.SUCCEEDED
    if live is None and state is DeploymentState.STARTED and not late:
        return Verdict.LEAVE
    return Verdict.TIMED_OUT if status is WorkflowStatus.RUNNING else Verdict.TERMINATED
