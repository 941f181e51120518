"""The image of an image source: found on the engine or pulled, and pinned by content."""

from aweigh.deployments.deployment import Reason
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.release import Image
from aweigh.deployments.source import ImageSource, PullPolicy
from aweigh.deployments.step_errors import StepFailed
from aweigh.images.facts import ImageFacts
from aweigh.images.images import Images
from aweigh.images.pull import Puller
from aweigh.images.release_images import ReleaseImages
from aweigh.images.server_platforms import ServerPlatforms
from aweigh.servers.running_step import RunningStep


class SourceImages:
    def __init__(
        self,
        images: Images,
        platforms: ServerPlatforms,
        puller: Puller,
        release_images: ReleaseImages,
    ) -> None:
        self._images = images
        self._platforms = platforms
        self._puller = puller
        self._release_images = release_images

    async def ensure(self, step: RunningStep) -> None:
        """Pull the release's image unless it exists, and pin the release to it.

        Raises:
            StepError: the image cannot be pulled, with the reason.
        """
        release = step.release
        if await self._release_images.under_own_tag(release):
            step.detail = step.detail or f"{release.image.reference} is already there"
            return
        source = release.settings.source
        if not isinstance(source, ImageSource):
            raise TypeError(f"{release.slug} is built, not pulled")
        found, digest = await self._pinned(step, source) or await self._resolved(step, source)
        reference = release.image.reference
        self._platforms.refuse_foreign(reference, [found.platform])
        image = Image(reference=reference, id=found.id, digest=digest)
        await self._release_images.pin(step, found, image)
        step.log(f"image {reference} is {found.id}")

    async def _pinned(
        self, step: RunningStep, source: ImageSource
    ) -> tuple[ImageFacts, str | None] | None:
        """Return the image this release is pinned to, by id or digest; None if it is not pinned."""
        image = step.release.image
        if image.id is None:
            return None
        asked = ImageReference.parse(image.reference)
        if found := await self._images.find(image.id):
            step.detail = f"{image.reference}, the same image as before"
            return found, image.digest or found.digest_in(asked)
        never = source.pull is PullPolicy.NEVER
        if image.digest is None or never:
            why = "the pull policy is `never`" if never else "its digest in a registry is unknown"
            raise StepFailed(
                Reason.IMAGE_NOT_FOUND,
                f"The image {image.id} of {image.reference} is no longer on the server, and {why}. "
                "Deploy a tag instead.",
            )
        return await self._pulled(step, source, asked, image.digest), image.digest

    async def _resolved(
        self, step: RunningStep, source: ImageSource
    ) -> tuple[ImageFacts, str | None]:
        """Return the image that the reference points to now."""
        reference = ImageReference.parse(step.release.image.reference)
        if source.pull is not PullPolicy.ALWAYS:
            if found := await self._images.find(str(reference.exact)):
                step.detail = f"{reference} is on the server"
                return found, reference.digest or found.digest_in(reference)
            if source.pull is PullPolicy.NEVER:
                raise StepFailed(
                    Reason.IMAGE_NOT_FOUND,
                    f"{reference} is not on the server, and the pull policy is `never`.",
                )
        digest = reference.digest or await self._puller.digest_of(reference, source.registry)
        return await self._pulled(step, source, reference, digest), digest

    async def _pulled(
        self, step: RunningStep, source: ImageSource, asked: ImageReference, digest: str
    ) -> ImageFacts:
        found = await self._images.find(str(asked.at(digest)))
        if found and digest in found.digests_in(asked):  # not a match by digest alone
            step.detail = f"{asked.at(digest)} is on the server"
            return found
        found = await self._puller.pull(step, asked, digest, source.registry)
        await self._release_images.keep_pulled(step.release, found, digest)
        return found
