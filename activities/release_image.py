"""The image of a release, as the steps after `pull` or `build` find it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from activities.retention import IMAGES_LOCK
from aweigh.core.errors import ImageGone

if TYPE_CHECKING:
    from activities.step import OpenStep
    from aweigh.images.facts import ImageFacts
    from aweigh.servers.server import Server


async def present_image(server: Server, opened: OpenStep) -> ImageFacts:
    """Return the image the release is pinned to, under our own tag.

    Raises:
        ImageGone: it is not on the server; only `pull` and `build` may take the time to bring it.
    """
    release = opened.release
    name = server.names.image(release.slug, release.sequence)
    named = await server.images.find(name)
    if named and named.id == release.image.id:
        return named
    async with server.locks.holding(IMAGES_LOCK):
        found = await server.images.find(release.image.id) if release.image.id else None
        if found is None:
            raise ImageGone(release.image.reference)
        await server.images.tag(found.id, name)
        return found
