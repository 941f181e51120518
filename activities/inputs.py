"""What goes into and comes out of the steps: ids and small facts, never settings or secrets."""

from dataclasses import dataclass, field

from aweigh.deployments.deployment import Reason, Standing
from aweigh.deployments.turn import Turn


@dataclass(frozen=True)
class StepInput:
    """One step of one deployment; everything else comes from the API with the worker's token."""

    deployment_id: str
    application_id: str
    sequence: int


@dataclass(frozen=True)
class StepResult:
    """What the step says of itself, for people, and the few facts the order depends on."""

    detail: str = ""
    #: Of `preflight`: there is no release command, so its step is left out.
    skip_release: bool = False
    #: Of `preflight`: the image is built from source, not pulled.
    builds: bool = False
    #: Of `preflight`: the commit's status is told where the repository stands.
    tells: bool = False
    #: Of `undo`: there is nothing to undo, the deployment is live.
    live: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a step is that still runs."""

    step: str
    detail: str


@dataclass(frozen=True)
class TurnsAsked:
    """Deployments of which a lane was told; an empty id is the removal of its application."""

    deployments: list[str]


@dataclass(frozen=True)
class TurnsKnown:
    """What the database knows of them, the oldest first."""

    turns: list[Turn]


@dataclass(frozen=True)
class StatusInput:
    """The deployment whose commit's status GitHub is told."""

    deployment_id: str


@dataclass(frozen=True)
class StatusTold:
    """What GitHub was told, for people."""

    detail: str


@dataclass(frozen=True)
class StartedRecord:
    deployment_id: str


@dataclass(frozen=True)
class WaitingRecord:
    """Of a deployment that waits for its turn: whether it is still to have one."""

    deployment_id: str


@dataclass(frozen=True)
class MayProceed:
    """Whether the deployment may go on; false when it had ended before this run began."""

    proceed: bool
    #: Where it may not: how it ended.
    standing: Standing = field(default_factory=Standing)


@dataclass(frozen=True)
class FailedRecord:
    deployment_id: str
    reason: Reason
    message: str
    superseded_by: str | None = None


@dataclass(frozen=True)
class SucceededRecord:
    deployment_id: str


@dataclass(frozen=True)
class RemovalInput:
    """The removal of an application; everything else comes from the API."""

    application_id: str


@dataclass(frozen=True)
class RemovalRecord:
    application_id: str
    failure: str | None = None


@dataclass(frozen=True)
class ReconcileInput:
    server: str


@dataclass(frozen=True)
class ServerReconciled:
    """What the server worker found, for people: the API was told by the worker itself."""

    live: int = 0
    unsure: int = 0
    #: What could not be looked at; the worker's log says why.
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RecordsInput:
    """The server whose records are compared with what it told the API, and with Temporal."""

    server: str


@dataclass(frozen=True)
class RecordsReconciled:
    """How many records were put right, and of what they could not be looked at."""

    changed: int
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Nothing:
    """An answer without content; fields may come."""
