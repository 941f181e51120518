"""The images of releases, with our own tags on the engine."""

from aweigh.deployments.release import Image, Release
from aweigh.deployments.step_errors import ImageGone
from aweigh.engine.naming import Names
from aweigh.images.facts import ImageFacts
from aweigh.images.images import Images
from aweigh.images.retention import IMAGES_LOCK
from aweigh.servers.locks import Locks
from aweigh.servers.running_step import RunningStep


class ReleaseImages:
    def __init__(self, names: Names, images: Images, locks: Locks) -> None:
        self._names = names
        self._images = images
        self._locks = locks

    async def find(self, name: str) -> ImageFacts | None:
        """Return an image on the engine by id or name, whoever tagged it."""
        return await self._images.find(name)

    async def under_own_tag(self, release: Release) -> ImageFacts | None:
        """Return the image the release is pinned to, if it has our tag."""
        found = await self._images.find(self._names.image(release.slug, release.sequence))
        # The name alone proves nothing: a removed installation may have left it.
        return found if found and found.id == release.image.id else None

    async def present(self, release: Release) -> ImageFacts:
        """Return the image the release is pinned to, with our tag.

        Raises:
            ImageGone: it is not on the server; only `pull` and `build` have the time to get it.
        """
        if found := await self.under_own_tag(release):
            return found
        async with self._locks.holding(IMAGES_LOCK):
            found = await self._images.find(release.image.id) if release.image.id else None
            if found is None:
                raise ImageGone(release.image.reference)
            await self._tag(release, found)
            return found

    async def keep(self, release: Release, found: ImageFacts) -> None:
        """Tag an image, so that it is kept as long as the release."""
        async with self._locks.holding(IMAGES_LOCK):
            await self._tag(release, found)

    async def keep_pulled(self, release: Release, found: ImageFacts, digest: str) -> None:
        """Keep an image that this installation pulled, with a second tag that allows removing it.

        An image that already had a name with this digest belongs to somebody else.
        """
        tag = self._names.pulled(digest)
        alike = [name for name in found.digests if name.endswith(f"@{digest}")]
        async with self._locks.holding(IMAGES_LOCK):  # a sweep removes untagged images
            if tag in found.tags or len(alike) <= 1:
                await self._images.tag(found.id, tag)
            await self._tag(release, found)

    async def pin(self, step: RunningStep, found: ImageFacts, image: Image) -> None:
        """Keep an image for the step's release, and pin the release to it.

        Raises:
            Unavailable: the API does not answer.
        """
        await self.keep(step.release, found)
        if step.release.image != image:
            await step.pin(image)

    async def newest(self, slug: str) -> str:
        """Return the name of the application's newest image on the engine, or ""."""
        tags = await self._images.tags(self._names.image_repository(slug))
        newest = max((int(tag) for tag in tags if tag.isdigit()), default=None)
        return self._names.image(slug, newest) if newest is not None else ""

    async def _tag(self, release: Release, found: ImageFacts) -> None:
        await self._images.tag(found.id, self._names.image(release.slug, release.sequence))
