"""Image retention: our names come off images that no kept release needs."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aweigh.contract import KnownApplication
    from aweigh.images.facts import ImageFacts
    from aweigh.images.images import Images
    from aweigh.servers.server import Server


#: Held while images get or lose our names: one must not be removed while a release takes it.
IMAGES_LOCK: Final = "images"
_DIGEST_TAG: Final = re.compile(r"[a-f0-9]{64}")


async def sweep_application(server: Server, known: KnownApplication) -> int:
    """Take our names off images of releases that are not kept; how many."""
    repository = server.names.image_repository(known.slug)
    keep = () if known.removed else known.keep
    stale = [
        tag
        for tag in await server.images.tags(repository)
        if tag.isdigit() and int(tag) not in keep and int(tag) <= known.highest_sequence
    ]
    for tag in stale:
        await server.images.untag(f"{repository}:{tag}")
    if not known.in_flight:  # what is being built has no release's name yet
        await _forget_built(server, repository)
    return len(stale)


async def newest_image(server: Server, slug: str) -> str:
    """The name of the newest release's image that is here; empty: none is."""
    tags = await server.images.tags(server.names.image_repository(slug))
    newest = max((int(tag) for tag in tags if tag.isdigit()), default=None)
    return server.names.image(slug, newest) if newest is not None else ""


async def _forget_built(server: Server, repository: str) -> None:
    """Take the names by content off images that no kept release has."""
    tags = await server.images.tags(repository)
    kept = {image_id for tag, image_id in tags.items() if tag.isdigit()}
    for tag, image_id in tags.items():
        if not tag.isdigit() and image_id not in kept:
            await server.images.untag(f"{repository}:{tag}")


async def forget_pulled(server: Server) -> None:
    """Remove images this installation pulled and no release of it names any more."""
    async with server.locks.holding(IMAGES_LOCK):
        pulled = await server.images.tags(server.names.pulled_repository)
        for tag, image_id in pulled.items():
            if _DIGEST_TAG.fullmatch(tag):
                await _forget(server, tag, image_id)


async def _forget(server: Server, hexadecimal: str, image_id: str) -> None:
    found = await server.images.find(image_id)
    if found and not any(map(server.names.names_application, found.tags)):
        await remove_pulled(server.images, server.names.pulled(hexadecimal))


async def remove_pulled(images: Images, mark: str) -> None:
    """Take the name by digest, which the pull gave it, off a marked image, and then the mark."""
    found = await images.find(mark)
    hexadecimal = mark.rpartition(":")[2]
    for digest in found.digests if found else ():
        if digest.endswith(f"@sha256:{hexadecimal}"):
            await images.untag(digest)
    await images.untag(mark)


async def forget_unused_for_builds(server: Server, now: datetime) -> None:
    """Remove builders, and what comes with them, that this installation pulled and no build has
    used for long."""
    async with server.locks.holding(IMAGES_LOCK):
        for mark in await server.images.tags(server.names.pulled_for_builds):
            name = server.names.for_builds(mark)
            found = await server.images.find(name)
            if found and found.named_at and now - found.named_at > server.workshop.keep_unused:
                await remove_for_builds(server.images, name)


async def remove_for_builds(images: Images, mark: str) -> None:
    """Take the names off a marked image that the pull gave it, and then the mark.

    Where somebody gave it another name of its repository since, it is theirs too, and stays.
    """
    found = await images.find(mark)
    digests = found.digests if found else ()
    repositories = {digest.partition("@")[0] for digest in digests}
    tags = [tag for tag in (found.tags if found else ()) if tag.rpartition(":")[0] in repositories]
    for name in (*tags, *digests, mark) if len(tags) <= 1 else (mark,):
        await images.untag(name)


async def mark_for_builds(server: Server, found: ImageFacts) -> None:
    """Mark an image that this installation brought for builds; each time anew, for `named_at`
    tells by that when it was used last."""
    await server.images.tag(found.id, server.names.for_builds(found.id))


async def mark_pulled(server: Server, found: ImageFacts, digest: str) -> None:
    """Mark an image that this installation brought, so that it may remove it again.

    One that had a name by the same digest before belongs to whoever gave it that name.
    """
    mark = server.names.pulled(digest)
    alike = [name for name in found.digests if name.endswith(f"@{digest}")]
    if mark in found.tags or len(alike) <= 1:
        await server.images.tag(found.id, mark)
