"""The commit status of a deployment, as GitHub shows it.

https://docs.github.com/en/rest/commits/statuses
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aweigh.deployments.deployment import DeploymentState, Reason

#: GitHub rejects a longer one.
_LONGEST_DESCRIPTION: Final = 140
#: These deployments were stopped: the commit itself did not fail.
_WITHDRAWN: Final = frozenset({Reason.CANCELLED, Reason.SUPERSEDED})


class StatusState(StrEnum):
    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class CommitStatus:
    state: StatusState
    description: str
    #: Identifies the status: one for each application of a commit.
    context: str
    target_url: str


def commit_status(
    state: DeploymentState, reason: str | None, message: str | None, *, slug: str, url: str
) -> CommitStatus:
    """Return the status for a deployment in this state; `url` is its page for people."""
    match state:
        case DeploymentState.SUCCEEDED:
            shown, text = StatusState.SUCCESS, "Live."
        case DeploymentState.FAILED:
            shown = StatusState.ERROR if reason in _WITHDRAWN else StatusState.FAILURE
            text = f"{reason}: {message}"
        case _:
            shown, text = StatusState.PENDING, "On its way."
    if len(text) > _LONGEST_DESCRIPTION:
        text = f"{text[: _LONGEST_DESCRIPTION - 1]}…"
    return CommitStatus(state=shown, description=text, context=f"aweigh/{slug}", target_url=url)
