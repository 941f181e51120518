"""The ids of workflows, readable in Temporal's UI.

A slug is never reused, so an id with a slug always belongs to the same application.
"""

import re
from dataclasses import dataclass
from typing import Final

#: The last characters of a deployment's id are random; the first ones are a timestamp.
_SHORT: Final = 6
#: The task queue of workflows and of the activities that use the database.
CONTROL_QUEUE: Final = "control"
_LANE: Final = "application/"
_LONGEST_CHANNEL: Final = 40


@dataclass(frozen=True, kw_only=True)
class ExpectedWorkflow:
    """The one workflow that may act for a deployment, or for a removal."""

    id: str
    kind: str
    #: Its parent, the lane; a workflow that somebody else starts under this id has none.
    lane: str


@dataclass(frozen=True, kw_only=True)
class WorkflowRun:
    """The workflow run of an activity, by Temporal."""

    workflow_id: str
    run_id: str


def lane_id(slug: str) -> str:
    return f"{_LANE}{slug}"


def slug_of_lane(workflow_id: str) -> str:
    """Return the slug of a lane; the result for another workflow is meaningless."""
    return workflow_id.removeprefix(_LANE)


def deployment_workflow_id(slug: str, sequence: int, deployment_id: str) -> str:
    """A restored database may assign a sequence twice; the short id distinguishes the two."""
    return f"deployment/{slug}/{sequence}-{deployment_id[-_SHORT:]}"


def removal_workflow_id(slug: str, sequence: int) -> str:
    return f"removal/{slug}/{sequence}"


def commit_status_id(slug: str, sequence: int, deployment_id: str, state: str) -> str:
    return f"status/{slug}/{sequence}-{deployment_id[-_SHORT:]}/{state}"


def notification_id(delivery_id: str, kind: str, slug: str = "", sequence: int = 0) -> str:
    """`kind` is that of the event; without a deployment there is neither slug nor sequence.

    Nothing in it ever changes, as the name of a channel would: a second start is rejected by it.
    """
    word = kind.rpartition(".")[2]
    subject = f"{slug}/{sequence}-{word}" if slug else word
    return f"notification/{subject}/{delivery_id[-_SHORT:]}"


def channel_slug(name: str) -> str:
    """Return the name of a channel in short and plain letters; not unique."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:_LONGEST_CHANNEL].strip("-") or "channel"


def deployment_workflow(slug: str, sequence: int, deployment_id: str) -> ExpectedWorkflow:
    return ExpectedWorkflow(
        id=deployment_workflow_id(slug, sequence, deployment_id),
        kind="DeploymentWorkflow",
        lane=lane_id(slug),
    )


def removal_workflow(slug: str, sequence: int) -> ExpectedWorkflow:
    return ExpectedWorkflow(
        id=removal_workflow_id(slug, sequence), kind="RemovalWorkflow", lane=lane_id(slug)
    )
