"""Image retention: removes our tags from images that no kept release needs."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from aweigh.contract import KnownApplication
from aweigh.engine.naming import Names
from aweigh.images.images import Images
from aweigh.servers.locks import Locks

#: Held while our tags are added or removed: an image must not be removed while a release takes it.
IMAGES_LOCK: Final = "images"
_DIGEST_TAG: Final = re.compile(r"[a-f0-9]{64}")


class Retention:
    """`keep_unused`: how long to keep an image pulled for builds after its last use."""

    def __init__(self, names: Names, images: Images, locks: Locks, keep_unused: timedelta) -> None:
        self._names = names
        self._images = images
        self._locks = locks
        self._keep_unused = keep_unused

    async def sweep_application(self, known: KnownApplication) -> int:
        """Remove our tags from images of releases that are not kept; return how many."""
        repository = self._names.image_repository(known.slug)
        keep = () if known.removed else known.keep
        tags = await self._images.tags(repository)
        stale = [
            tag
            for tag in tags
            if tag.isdigit() and int(tag) not in keep and int(tag) <= known.highest_sequence
        ]
        for tag in stale:
            await self._images.untag(f"{repository}:{tag}")
            del tags[tag]
        if not known.in_flight:  # an image being built has no release's tag yet
            await self._forget_built(repository, tags)
        return len(stale)

    async def _forget_built(self, repository: str, tags: Mapping[str, str]) -> None:
        """Remove the content tags from images without a kept release's tag."""
        kept = {image_id for tag, image_id in tags.items() if tag.isdigit()}
        for tag, image_id in tags.items():
            if not tag.isdigit() and image_id not in kept:
                await self._images.untag(f"{repository}:{tag}")

    async def remove_application(self, slug: str) -> None:
        """Remove all tags of an application, then pulled images that no release needs any more."""
        repository = self._names.image_repository(slug)
        for tag in await self._images.tags(repository):
            await self._images.untag(f"{repository}:{tag}")
        await self.remove_pulled()

    async def remove_pulled(self) -> None:
        """Remove images that this installation pulled and that none of its releases uses."""
        async with self._locks.holding(IMAGES_LOCK):
            tags = await self._images.tags(self._names.pulled_repository)
            for tag, image_id in tags.items():
                found = await self._images.find(image_id)
                named = found and any(map(self._names.names_application, found.tags))
                if found and not named and _DIGEST_TAG.fullmatch(tag):
                    await remove_pulled(self._images, self._names.pulled(tag))

    async def remove_unused_for_builds(self, now: datetime) -> None:
        """Remove build tools that this installation pulled and that no build has used for long."""
        async with self._locks.holding(IMAGES_LOCK):
            for tag in await self._images.tags(self._names.pulled_for_builds):
                name = self._names.for_builds(tag)
                found = await self._images.find(name)
                if found and found.named_at and now - found.named_at > self._keep_unused:
                    await remove_for_builds(self._images, name)


async def remove_pulled(images: Images, tag: str) -> None:
    """Remove the name by digest, which the pull added, and then our tag."""
    found = await images.find(tag)
    hexadecimal = tag.rpartition(":")[2]
    for digest in found.digests if found else ():
        if digest.endswith(f"@sha256:{hexadecimal}"):
            await images.untag(digest)
    await images.untag(tag)


async def remove_for_builds(images: Images, tag: str) -> None:
    """Remove the names that the pull added, and then our tag.

    If somebody added another name in the same repository since, the image is theirs too, and stays.
    """
    found = await images.find(tag)
    digests = found.digests if found else ()
    repositories = {digest.partition("@")[0] for digest in digests}
    tags = found.tags if found else ()
    names = [name for name in tags if name.rpartition(":")[0] in repositories]
    for name in (*names, *digests, tag) if len(names) <= 1 else (tag,):
        await images.untag(name)
