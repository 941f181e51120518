"""The verdict on a deployment that is open in the database, by its workflow's status."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from aweigh.deployments.deployment import DeploymentState

#: The sum of all steps' time limits, with twelve hours for a build and its turn: no healthy
#: deployment takes longer.
DEADLINE: Final = timedelta(hours=20)


class WorkflowStatus(StrEnum):
    """The status of a workflow in Temporal."""

    RUNNING = "running"
    #: Its workflow task keeps failing.
    STUCK = "stuck"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What the reconciler does with the deployment."""

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
    """Return what to do with a deployment that is open in the database.

    `live`: whether the server's route file names the deployment, and it answers; None if unknown. A
    started deployment is left until its deadline if that is unknown: it may be live, and would have
    to stay so.
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
