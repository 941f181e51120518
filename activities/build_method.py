"""A way to make an image from source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aweigh.core.errors import StepError, StepFailed, StepUnavailable
from aweigh.deployments.deployment import Reason

if TYPE_CHECKING:
    from pathlib import Path

    from activities.build_log import BuildLog


def tool_missing(error: Exception, message: str) -> StepError:
    """What is said where an image that builds need cannot be had: the error names only that."""
    if isinstance(error, StepUnavailable):
        return StepUnavailable(error.reason, message)
    return StepFailed(Reason.BUILDER_NOT_FOUND, message)


class Method(Protocol):
    """One release's build, by one method."""

    async def builder_id(self) -> str:
        """What the image depends on beside the source and its settings; empty: nothing.

        Raises:
            StepError: it cannot be had.
        """

    async def run(self, image: str, clone: Path, log: BuildLog) -> None:
        """Have `image` on the engine, made from the clone; what runs already is waited for.

        Raises:
            StepError: it cannot be made, with the reason.
        """
