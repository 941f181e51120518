"""Images named by the content they were built from, so that equal content is built once."""

from typing import Final

from aweigh.builds.directory import BuildDirectory
from aweigh.builds.key import content_key
from aweigh.builds.network import BuildNetwork
from aweigh.builds.release_build import ReleaseBuild
from aweigh.builds.source.checkout import Checkouts
from aweigh.deployments.deployment import Reason
from aweigh.deployments.release import Image
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.naming import Names
from aweigh.images.facts import ImageFacts
from aweigh.images.release_images import ReleaseImages

_SHORT: Final = 12


class ImagesByContent:
    """Names, finds and pins the images that releases are built to."""

    def __init__(
        self,
        names: Names,
        release_images: ReleaseImages,
        checkouts: Checkouts,
        directory: BuildDirectory,
        network: BuildNetwork,
    ) -> None:
        self._names = names
        self._release_images = release_images
        self._checkouts = checkouts
        self._directory = directory
        self._network = network

    async def find(self, build: ReleaseBuild) -> ImageFacts | None:
        """Return the image the release is pinned to, or one built earlier from the same content.

        Raises:
            StepError: the commit or the builder cannot be found.
        """
        release, images = build.step.release, self._release_images
        if release.image.id:
            found = await images.find(release.image.id)
            return await self._pin(build, found, release.image.reference) if found else None
        if release.rebuild:
            return None
        name = await self.name(build)
        found = await images.find(name)
        return await self._pin(build, found, name) if found else None

    async def pin_built(self, build: ReleaseBuild) -> None:
        """Pin the release to the image that its build has just made.

        Raises:
            StepFailed: the image does not exist.
        """
        name = await self.name(build)
        found = await self._release_images.find(name)
        if found is None:
            raise StepFailed(
                Reason.BUILD_FAILED,
                "The build ended without an image. Retry, and check that nothing removes images "
                "on the server.",
            )
        await self._pin(build, found, name)

    async def name(self, build: ReleaseBuild) -> str:
        """Return the image's name, derived from commit, settings and builder.

        Raises:
            StepError: the commit or the builder cannot be found.
        """
        build.image_name = build.image_name or await self._find_name(build)
        return build.image_name

    async def _find_name(self, build: ReleaseBuild) -> str:
        # The commit first, because this can fail: the builder may be a gigabyte to pull.
        commit = await self._checkouts.commit(build.step, build.source)
        await self._network.confine()
        secret, builder_id = self._directory.content_secret, await build.method.builder_id()
        key = content_key(secret, build.source, commit, builder_id)
        return self._names.built(build.step.release.slug, key)

    async def _pin(self, build: ReleaseBuild, found: ImageFacts, reference: str) -> ImageFacts:
        step, image = build.step, Image(reference=reference, id=found.id)
        await self._release_images.pin(step, found, image)
        step.detail = f"commit {(step.release.commit or '')[:_SHORT]} is {reference}"
        return found
