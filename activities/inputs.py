"""Inputs and results of the activities: ids and small facts, never settings or secrets.

Each activity has its own pair, so that fields can be added to one without touching another.
"""

from dataclasses import dataclass, field

from aweigh.deployments.deployment import Reason, RecordedState
from aweigh.deployments.turn import Turn


@dataclass(frozen=True)
class StepInput:
    """One step of one deployment; the API answers everything else to the worker's token."""

    deployment_id: str
    application_id: str
    sequence: int


@dataclass(frozen=True)
class StepResult:
    """One sentence for people about a step that has succeeded."""

    detail: str = ""


@dataclass(frozen=True)
class PreflightResult(StepResult):
    """Facts about the release that decide which steps follow."""

    #: The image is built from source, not pulled.
    builds_image: bool = False
    has_release_command: bool = True
    #: The repository shows the state of the deployment beside its commit.
    reports_commit_status: bool = False


@dataclass(frozen=True)
class UndoResult(StepResult):
    #: The deployment is live, so nothing was undone.
    live: bool = False


@dataclass(frozen=True)
class StartedRecord:
    deployment_id: str


@dataclass(frozen=True)
class StartedResult:
    """Whether the deployment may go on; false if it had ended before this run began."""

    proceed: bool
    #: How it had ended.
    standing: RecordedState = field(default_factory=RecordedState)


@dataclass(frozen=True)
class RecordedStateInput:
    """A deployment whose record is read."""

    deployment_id: str


@dataclass(frozen=True)
class StandingResult:
    standing: RecordedState


@dataclass(frozen=True)
class SucceededRecord:
    deployment_id: str


@dataclass(frozen=True)
class SucceededResult:
    """Empty."""


@dataclass(frozen=True)
class FailedRecord:
    deployment_id: str
    reason: Reason
    message: str
    superseded_by: str | None = None


@dataclass(frozen=True)
class FailedResult:
    """How the record stands now: a deployment that had succeeded stays so."""

    standing: RecordedState


@dataclass(frozen=True)
class RemovalRecord:
    """The end of a removal; without a failure it is complete."""

    application_id: str
    failure: str | None = None


@dataclass(frozen=True)
class RemovalRecordResult:
    """Empty."""


@dataclass(frozen=True)
class RemovalInput:
    """The application to remove; the API answers everything else."""

    application_id: str


@dataclass(frozen=True)
class RemovalResult:
    """Empty."""


@dataclass(frozen=True)
class TurnsInput:
    """Deployments submitted to a lane; an empty id means the removal of its application."""

    deployment_ids: list[str]


@dataclass(frozen=True)
class TurnsResult:
    """Those that the database knows, the oldest first."""

    turns: list[Turn]


@dataclass(frozen=True)
class CommitStatusInput:
    deployment_id: str


@dataclass(frozen=True)
class CommitStatusResult:
    """The status that GitHub has taken, for people."""

    detail: str


@dataclass(frozen=True)
class DeliveryInput:
    delivery_id: str


@dataclass(frozen=True)
class DeliveryResult:
    """What became of the delivery, for people."""

    detail: str


@dataclass(frozen=True)
class CancelledDelivery:
    delivery_id: str


@dataclass(frozen=True)
class CancelledDeliveryResult:
    """Empty."""


@dataclass(frozen=True)
class ReconcileInput:
    server: str


@dataclass(frozen=True)
class ReconcileResult:
    """Findings of the server worker, for people; the worker sends the API its own report."""

    live: int = 0
    unsure: int = 0
    #: Subjects that could not be checked; the worker's log has the errors.
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ComparisonInput:
    """A server whose records are compared with its last report and with Temporal."""

    server: str


@dataclass(frozen=True)
class ComparisonResult:
    #: Records that were corrected.
    changed: int
    #: Deployments that could not be compared.
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PruneInput:
    """A server whose applications' histories are pruned."""

    server: str


@dataclass(frozen=True)
class PruneResult:
    #: Deployments that were deleted.
    deleted: int
    #: Whether there may be more of them.
    more: bool = False
    #: Applications whose history could not be read.
    skipped: list[str] = field(default_factory=list)
