"""The interface of a build method."""

from pathlib import Path
from typing import Protocol

from aweigh.builds.log import BuildLog
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    StepError,
    StepFailed,
    StepUnavailable,
)


class Method(Protocol):
    """Builds one release by one method."""

    async def builder_id(self) -> str:
        """Return what the image depends on besides the source and its settings, or "".

        Raises:
            StepError: the builder cannot be pulled.
        """

    async def run(self, image: str, clone: Path, log: BuildLog) -> None:
        """Build `image` from the clone and load it into the engine, continuing a running build.

        Raises:
            StepError: the image cannot be built, with the reason.
        """


def tool_missing(error: Exception, message: str) -> StepError:
    """Return the error for a build tool's image that cannot be pulled; `error` is the cause."""
    if isinstance(error, StepUnavailable):
        return StepUnavailable(error.reason, message)
    return StepFailed(Reason.BUILDER_NOT_FOUND, message)
