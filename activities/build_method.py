"""A way to make an image from source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from activities.build_log import BuildLog


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
