"""The ids of workflows, made to be read in Temporal's UI.

A slug is never used again, so what it names stays one application's.
"""

from dataclasses import dataclass
from typing import Final

#: Letters at the end of a deployment's id: random ones, where its beginning is the time.
_SHORT: Final = 6
#: Where workflows run, and the activities that touch the database.
CONTROL_QUEUE: Final = "control"
_LANE: Final = "application/"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The one workflow that may act for a deployment, or for a removal."""

    id: str
    kind: str
    #: The workflow that starts it: what anybody else starts under its id has no parent.
    lane: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """The workflow run for which an activity works, as Temporal says."""

    workflow_id: str
    run_id: str


def lane_id(slug: str) -> str:
    return f"{_LANE}{slug}"


def slug_of_lane(workflow_id: str) -> str:
    """Whose lane it is; nothing sensible of another workflow."""
    return workflow_id.removeprefix(_LANE)


def deployment_workflow_id(slug: str, sequence: int, deployment_id: str) -> str:
    """The short id tells deployments apart that a restored database gave one sequence."""
    return f"deployment/{slug}/{sequence}-{deployment_id[-_SHORT:]}"


def removal_workflow_id(slug: str, sequence: int) -> str:
    return f"removal/{slug}/{sequence}"


def commit_status_id(slug: str, sequence: int, deployment_id: str, state: str) -> str:
    return f"status/{slug}/{sequence}-{deployment_id[-_SHORT:]}/{state}"


def deployment_workflow(slug: str, sequence: int, deployment_id: str) -> Expected:
    return Expected(
        id=deployment_workflow_id(slug, sequence, deployment_id),
        kind="DeploymentWorkflow",
        lane=lane_id(slug),
    )


def removal_workflow(slug: str, sequence: int) -> Expected:
    return Expected(
        id=removal_workflow_id(slug, sequence), kind="RemovalWorkflow", lane=lane_id(slug)
    )
