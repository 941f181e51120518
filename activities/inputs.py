"""What goes into and comes out of the steps: ids and small facts, never settings or secrets."""

from dataclasses import dataclass, field

from aweigh.domain.deployment import Reason


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
class MayProceed:
    """Whether the deployment may go on; false when it had ended before it began."""

    proceed: bool


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
    """The removal of an application, which is ordered like a deployment."""

    application_id: str
    slug: str
    sequence: int
    volumes: bool


@dataclass(frozen=True)
class RemovalRecord:
    application_id: str
    failure: str | None = None
    #: None from workflows that were started before it was told.
    sequence: int | None = None


@dataclass(frozen=True)
class ReconcileInput:
    server: str


@dataclass(frozen=True)
class LiveDeployments:
    """The deployments whose committed file stands on the server, and that answer."""

    deployments: list[str]
    #: Those whose file stands there while the proxy is silent: nobody can tell whether they answer.
    unsure: list[str] = field(default_factory=list)
    #: False when the server could not be asked at all.
    asked: bool = True
    #: Those whose switch succeeded: live, whether or not they answer just now.
    verified: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RecordsInput:
    """What a server says is live, to be compared with the records and with Temporal."""

    server: str
    live: list[str]
    unsure: list[str] = field(default_factory=list)
    asked: bool = True
    verified: list[str] = field(default_factory=list)

    def is_live(self, deployment_id: str) -> bool | None:
        """None where that cannot be told."""
        if deployment_id in self.verified:
            return True
        if not self.asked or deployment_id in self.unsure:
            return None
        return deployment_id in self.live


@dataclass(frozen=True)
class RecordsReconciled:
    """How many records were put right."""

    changed: int


@dataclass(frozen=True)
class Nothing:
    """An answer without content; fields may come."""
