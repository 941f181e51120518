"""Errors as Temporal's histories store them: a reason and one masked sentence, no trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, FailureError

from aweigh.core.errors import (
    AweighError,
    Conflict,
    Unavailable,
)
from aweigh.core.text import printable
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    Gone,
    StepError,
    StepFailed,
)
from aweigh.deployments.workflow_ids import WorkflowRun
from aweigh.secrets.error_text import said_by
from aweigh.secrets.value import mask_words
from aweigh.servers.running_step import LONGEST_MESSAGE

_log = structlog.get_logger(__name__)


def caller() -> WorkflowRun:
    """Return the workflow run for which this activity works."""
    info = activity.info()
    return WorkflowRun(workflow_id=info.workflow_id or "", run_id=info.workflow_run_id or "")


@asynccontextmanager
async def as_application_errors(
    name: str, secrets: Callable[[], list[str]] | None = None
) -> AsyncIterator[None]:
    """Re-raise every error as an `ApplicationError` that is safe to store in a history.

    `secrets` are asked for when there is an error. Without them, nothing of what others' errors
    say is repeated: it could not be masked.
    """
    try:
        yield
    except FailureError:
        raise
    except Exception as error:  # noqa: BLE001 (every error that leaves here is stored in a history)
        raise application_error(error, name, secrets() if secrets else None) from None


def application_error(
    error: Exception, name: str, secrets: Iterable[str] | None = None
) -> ApplicationError:
    """Say an error in one sentence; one that nobody thought of is logged with its trace."""
    found = _step_error(error, name, masks=secrets is not None)
    message = printable(mask_words(found.message, list(secrets or ()))[:LONGEST_MESSAGE])
    kind = found.kind if isinstance(found, Gone) else found.reason
    return ApplicationError(message, type=kind, non_retryable=isinstance(found, StepFailed))


def _step_error(error: Exception, name: str, *, masks: bool) -> StepError:
    if isinstance(error, StepError):
        return error
    if isinstance(error, Unavailable):
        return StepError(Reason.INTERNAL, f"{error}; it is tried again.")
    if isinstance(error, Conflict):
        return StepFailed(Reason.SERVER_OFFLINE, f"This server worker may not act: {error}")
    if isinstance(error, AweighError):
        return StepError(Reason.INTERNAL, f"{name}: {error}")
    _log.error("an unexpected error", doing=name, exc_info=error)
    return StepError(Reason.INTERNAL, f"{name}: {_sentence(error, masks=masks)}")


def _sentence(error: Exception, *, masks: bool) -> str:
    text = said_by(error, masks=masks)
    if text == type(error).__name__:
        return f"an unexpected {text}; the log of the worker says more."
    return text
