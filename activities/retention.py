"""Image retention: our names come off images that no kept release needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aweigh.adapters.server import Server
    from aweigh.contract import KnownApplication


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
    return len(stale)


async def forget_pulled(server: Server) -> None:
    """Remove images this installation pulled and no release of it names any more."""
    pulled = await server.images.tags(server.names.pulled_repository)
    for hexadecimal, image_id in pulled.items():
        found = await server.images.find(image_id)
        if found is None or any(tag.startswith(f"{server.names.prefix}/") for tag in found.tags):
            continue
        for digest in found.digests:
            if digest.endswith(f"@sha256:{hexadecimal}"):
                await server.images.untag(digest)
        await server.images.untag(f"{server.names.pulled_repository}:{hexadecimal}")
