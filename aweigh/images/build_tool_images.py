"""Images of build tools: builders, lifecycles, BuildKit. Public, and kept while builds use them."""

from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.step_errors import StepError
from aweigh.engine.naming import Names
from aweigh.images.facts import ImageFacts
from aweigh.images.images import Images
from aweigh.images.pull import Puller
from aweigh.images.retention import IMAGES_LOCK
from aweigh.images.server_platforms import ServerPlatforms
from aweigh.servers.locks import Locks
from aweigh.servers.running_step import RunningStep


class BuildToolImages:
    def __init__(
        self,
        names: Names,
        images: Images,
        locks: Locks,
        platforms: ServerPlatforms,
        puller: Puller,
    ) -> None:
        self._names = names
        self._images = images
        self._locks = locks
        self._platforms = platforms
        self._puller = puller

    async def get(
        self, step: RunningStep, asked: ImageReference, *, refresh: bool = False
    ) -> ImageFacts:
        """Return a public image, pulling it if it is absent or, with `refresh`, outdated.

        An image that was not pulled for builds belongs to somebody else; its name is not moved.

        Raises:
            StepError: it cannot be pulled or cannot run on this server, with the reason.
        """
        found = await self._get(step, asked, refresh=refresh)
        self._platforms.refuse_foreign(asked, [found.platform])
        return found

    async def _get(self, step: RunningStep, asked: ImageReference, *, refresh: bool) -> ImageFacts:
        here = await self._in_use_again(asked)
        if here and not refresh:
            return here
        if here and not any(map(self._names.is_for_builds, here.tags)):
            step.log(f"{asked} was not pulled by Aweigh, so it is not refreshed")
            return here
        try:
            digest = asked.digest or await self._puller.digest_of(asked)
            found = await self._in_use_again(asked.at(digest))
            if found is None:
                found = await self._puller.pull(step, asked, digest)
                await self._tag(found)
        except StepError as error:
            if here:
                step.log(
                    f"{asked} could not be refreshed, the local image is used: {error.message}"
                )
                return here
            raise
        if asked.tag and not asked.digest:
            await self._images.tag(found.id, str(asked))
        return found

    async def _in_use_again(self, asked: ImageReference) -> ImageFacts | None:
        """Return the image if it exists, and record that it is in use."""
        async with self._locks.holding(IMAGES_LOCK):
            found = await self._images.find(str(asked.exact))
            if found and any(map(self._names.is_for_builds, found.tags)):
                await self._tag(found)
            return found

    async def _tag(self, found: ImageFacts) -> None:
        """Renew our tag; `named_at` then tells when the image was last used."""
        await self._images.tag(found.id, self._names.for_builds(found.id))
