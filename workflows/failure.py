"""The reason and the sentence for people, read from the errors that Temporal raises."""

from dataclasses import dataclass, replace

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    TimeoutError,
    TimeoutType,
    is_cancelled_exception,
)

from aweigh.deployments.deployment import Reason, message_of_superseded
from aweigh.deployments.step_errors import (
    GenerationGone,
    ImageGone,
    ProxyImageGone,
)

#: The beginning of a lane's cancellation reason; the newer deployment follows.
SUPERSEDED_BY = "superseded by "

#: The reason of a deployment whose steps were repeated too often.
_REASONS_OF_GONE: dict[str, Reason] = {
    ImageGone.kind: Reason.IMAGE_NOT_FOUND,
    GenerationGone.kind: Reason.START_FAILED,
    ProxyImageGone.kind: Reason.IMAGE_NOT_FOUND,
}
#: What the repeated steps provide, in a word for people.
PROVIDED_AGAIN: dict[str, str] = {
    ImageGone.kind: "image",
    GenerationGone.kind: "containers",
    ProxyImageGone.kind: "proxy",
}


@dataclass(frozen=True)
class Failure:
    """Why a deployment did not become live."""

    reason: Reason
    message: str
    superseded_by: str | None = None

    def not_undone(self, undo: "Failure") -> "Failure":
        """Add the failure of the undo.

        Something of the deployment may still exist, so it does not count as cancelled.
        """
        stopped = self.reason in (Reason.CANCELLED, Reason.SUPERSEDED)
        message = f"{self.message} Undoing it failed: {undo.message}"
        return replace(self, reason=undo.reason if stopped else self.reason, message=message)


def cancellation(why: str | None) -> Failure:
    """Tell a cancel by the lane from a cancel by a person."""
    # Of a workflow that is not the parent, Temporal puts its own words before the reason.
    _, superseded, newer = (why or "").rpartition(SUPERSEDED_BY)
    if superseded:
        return Failure(Reason.SUPERSEDED, message_of_superseded(newer), newer)
    return Failure(Reason.CANCELLED, f"The deployment was cancelled{f': {why}' if why else '.'}")


def failure_of(error: BaseException, server: str, why_cancelled: str | None) -> Failure:
    """Read the reason from the innermost error that has one.

    A requested cancel is the reason whatever the step raises: Temporal does not retry an activity
    that fails while its cancel is on the way, so the step's own error proves nothing.
    """
    if why_cancelled is not None or is_cancelled_exception(error):
        return cancellation(why_cancelled)
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError):
        known = {str(reason): reason for reason in Reason} | _REASONS_OF_GONE
        return Failure(known.get(cause.type or "", Reason.INTERNAL), cause.message)
    if isinstance(cause, TimeoutError):
        return _timeout(cause, server, error)
    return Failure(Reason.INTERNAL, f"Something unexpected happened: {cause}")


def gone_in(error: FailureError) -> str | None:
    """Return the kind of `Gone` that a step raised, or None."""
    cause = error.cause if isinstance(error, ActivityError) else None
    kind = cause.type if isinstance(cause, ApplicationError) else None
    return kind if kind in _REASONS_OF_GONE else None


def _timeout(cause: TimeoutError, server: str, error: BaseException) -> Failure:
    # The error of the last attempt says more than the timeout of all attempts.
    if isinstance(cause.cause, ApplicationError):
        return failure_of(cause.cause, server, None)
    step = error.activity_type if isinstance(error, ActivityError) else "a step"
    slow = isinstance(cause.cause, TimeoutError) and cause.cause.type is TimeoutType.START_TO_CLOSE
    if slow or cause.type is TimeoutType.START_TO_CLOSE:
        return Failure(Reason.TIMED_OUT, f"{step} on server {server} took longer than it may.")
    return Failure(
        Reason.SERVER_OFFLINE,
        f"The server worker of {server} did not answer ({step}): it does not run, or all of its "
        "slots are taken. Start it, or wait, then retry.",
    )
