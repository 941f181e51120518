"""Translates errors of the Docker engine; those of pulls are in `aweigh/images/pull_errors.py`."""

from typing import Final

from docker.errors import APIError, DockerException
from urllib3.exceptions import HTTPError

from aweigh.core.text import one_line
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    StepError,
    StepFailed,
    StepUnavailable,
)

#: Part of the message, whatever the engine was doing.
DISK_FULL: Final = "no space left on device"
#: The status of docker-py's error without a response, and those of proxies in between.
_NO_ANSWER: Final = (None, 502, 503, 504)


def text_of(error: Exception) -> str:
    """Return the engine's message on one line of limited length."""
    words = error.explanation if isinstance(error, APIError) and error.explanation else str(error)
    return one_line(str(words))


def engine_error(error: Exception, doing: str, *, wanted: bool) -> StepError:
    """Return the error for a failed engine call other than a pull.

    `wanted`: the call creates something that a user asked for, so any rejection is final. Otherwise
    a 5xx error is retried.
    """
    text = text_of(error)
    if DISK_FULL in text.lower():
        return StepFailed(
            Reason.DISK_FULL, f"{doing}: the engine's disk is full. Free some space, then retry."
        )
    if isinstance(error, APIError) and "exec format error" in text.lower():
        return StepFailed(
            Reason.IMAGE_UNSUPPORTED,
            f"{doing}: {text}: the program is for another platform. Build the image for this "
            "server's platform.",
        )
    if isinstance(error, APIError) and error.status_code not in _NO_ANSWER:
        kind = StepFailed if wanted or error.status_code < 500 else StepUnavailable
        return kind(Reason.START_FAILED, f"{doing}: {text}")
    if isinstance(error, (DockerException, OSError, HTTPError)):
        return StepUnavailable(
            Reason.ENGINE_UNAVAILABLE, f"{doing}: the Docker engine does not answer: {text}"
        )
    return StepUnavailable(Reason.INTERNAL, f"{doing}: {text}")
