"""A deployment: one attempt to make a release live. Its states, reasons, steps and events."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class DeploymentState(StrEnum):
    """The states of a deployment."""

    CREATED = "created"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self not in OPEN


#: The states in flight: a server may be working on the deployment.
OPEN: Final = (DeploymentState.CREATED, DeploymentState.STARTED)


class Reason(StrEnum):
    """Why a deployment failed: one closed list, documented in docs/reasons.md."""

    IMAGE_NOT_FOUND = "image_not_found"
    REGISTRY_AUTH = "registry_auth"
    REGISTRY_UNAVAILABLE = "registry_unavailable"
    RATE_LIMITED = "rate_limited"
    IMAGE_CORRUPT = "image_corrupt"
    IMAGE_UNSUPPORTED = "image_unsupported"
    REPOSITORY_NOT_FOUND = "repository_not_found"
    REPOSITORY_AUTH = "repository_auth"
    COMMIT_NOT_FOUND = "commit_not_found"
    COMMIT_NOT_ON_BRANCH = "commit_not_on_branch"
    SUBMODULE_FAILED = "submodule_failed"
    LFS_FAILED = "lfs_failed"
    NO_BUILDPACK = "no_buildpack"
    BUILDER_NOT_FOUND = "builder_not_found"
    ENGINE_TOO_OLD = "engine_too_old"
    DOCKERFILE_NOT_FOUND = "dockerfile_not_found"
    DOCKERFILE_INVALID = "dockerfile_invalid"
    BUILD_FAILED = "build_failed"
    OUT_OF_MEMORY = "out_of_memory"
    RELEASE_COMMAND_FAILED = "release_command_failed"
    START_FAILED = "start_failed"
    PORT_TAKEN = "port_taken"
    UNHEALTHY = "unhealthy"
    VERIFY_FAILED = "verify_failed"
    SERVER_OFFLINE = "server_offline"
    DISK_FULL = "disk_full"
    ENGINE_UNAVAILABLE = "engine_unavailable"
    TIMED_OUT = "timed_out"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    INTERNAL = "internal"


#: Named instead of a newer deployment's id if the application is removed.
REMOVAL: Final = "the removal of the application"


def message_of_superseded(newer: str) -> str:
    return f"Superseded by a newer deployment, {newer}."


@dataclass(frozen=True)
class RecordedState:
    """The recorded state of a deployment; a late run of its workflow ends with it too."""

    state: DeploymentState = DeploymentState.FAILED
    #: None if the record has none, or there is no record.
    reason: Reason | None = None
    message: str = ""


class Trigger(StrEnum):
    """The cause of a deployment."""

    HOOK = "hook"
    PUSH = "push"
    TAG = "tag"
    POLL = "poll"
    MANUAL = "manual"
    ROLLBACK = "rollback"
    RETRY = "retry"


class StepName(StrEnum):
    """The steps of a deployment, in order; `undo` only after a failure."""

    PREFLIGHT = "preflight"
    FETCH = "fetch"
    BUILD = "build"
    PULL = "pull"
    RELEASE = "release"
    CREATE = "create"
    HEALTH = "health"
    SWITCH = "switch"
    DRAIN = "drain"
    REMOVE = "remove"
    SWEEP = "sweep"
    UNDO = "undo"


class StepState(StrEnum):
    """The states of a step."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class EventKind(StrEnum):
    """The events of a deployment, for notifications."""

    CREATED = "deployment.created"
    STARTED = "deployment.started"
    SUCCEEDED = "deployment.succeeded"
    FAILED = "deployment.failed"
    DELETED = "deployment.deleted"
