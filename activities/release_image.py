"""The image of a release, however it comes about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from activities.build import ensure_built
from activities.image import ensure_pulled
from aweigh.domain.source import GitSource

if TYPE_CHECKING:
    from activities.step import OpenStep
    from aweigh.adapters.server import Server
    from aweigh.domain.container import ImageFacts


async def ensure_image(server: Server, opened: OpenStep) -> ImageFacts:
    """Have it on the engine: a reset may find that it has gone since it was pulled or built.

    Raises:
        StepError: it cannot be had, with the reason.
    """
    built = isinstance(opened.release.settings.source, GitSource)
    return await (ensure_built if built else ensure_pulled)(server, opened)
