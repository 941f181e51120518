"""A way to make an image from source."""

from pathlib import Path
from typing import Protocol

from aweigh.builds.log import BuildLog
from aweigh.core.errors import StepError, StepFailed, StepUnavailable
from aweigh.deployments.deployment import Reason


class Method(Protocol):
    """One release's build, by one method."""

    async def builder_id(self) -> str:
        """What the image depends on besides the source and its settings; empty: nothing.

        Raises:
            StepError: it cannot be pulled.
        """

    async def run(self, image: str, clone: Path, log: BuildLog) -> None:
        """Have `image` on the engine, made from the clone; a build that runs already is waited for.

        Raises:
            StepError: it cannot be made, with the reason.
        """


def tool_missing(error: Exception, message: str) -> StepError:
    """The error for an image that builds need and that cannot be pulled; `error` says why."""
    if isinstance(error, StepUnavailable):
        return StepUnavailable(error.reason, message)
    return StepFailed(Reason.BUILDER_NOT_FOUND, message)
