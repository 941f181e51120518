"""Images named by the content they were built from, so that equal content is built once."""

from dataclasses import dataclass, field
from typing import Final

from aweigh.builds.directory import BuildDirectory
from aweigh.builds.key import content_key
from aweigh.builds.method import Method
from aweigh.builds.network import BuildNetwork
from aweigh.builds.source.checkout import Checkouts
from aweigh.deployments.deployment import Reason
from aweigh.deployments.release import Image
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.naming import Names
from aweigh.images.facts import ImageFacts
from aweigh.images.release_images import ReleaseImages
from aweigh.servers.running_step import RunningStep

_SHORT: Final = 12


@dataclass(frozen=True)
class BuiltImages:
    """Collaborators that name, find and pin built images on a server."""

    names: Names
    release_images: ReleaseImages
    checkouts: Checkouts
    directory: BuildDirectory
    network: BuildNetwork


@dataclass
class BuiltImage:
    """The image of one release that is built from source."""

    parts: BuiltImages
    step: RunningStep
    source: GitSource
    method: Method
    _name: str = field(default="", init=False)

    async def find(self) -> ImageFacts | None:
        """Return the image the release is pinned to, or one built earlier from the same content.

        Raises:
            StepError: the commit or the builder cannot be found.
        """
        release, images = self.step.release, self.parts.release_images
        if release.image.id:
            found = await images.find(release.image.id)
            return await self._pin(found, release.image.reference) if found else None
        if release.rebuild:
            return None
        found = await images.find(await self.name())
        return await self._pin(found, await self.name()) if found else None

    async def take(self) -> None:
        """Pin the release to the image that its build has just made.

        Raises:
            StepFailed: the image does not exist.
        """
        found = await self.parts.release_images.find(await self.name())
        if found is None:
            raise StepFailed(
                Reason.BUILD_FAILED,
                "The build ended without an image. Retry, and check that nothing removes images "
                "on the server.",
            )
        await self._pin(found, await self.name())

    async def name(self) -> str:
        """Return the image's name, derived from commit, settings and builder.

        Raises:
            StepError: the commit or the builder cannot be found.
        """
        self._name = self._name or await self._find_name()
        return self._name

    async def _find_name(self) -> str:
        # The commit first, because this can fail: the builder may be a gigabyte to pull.
        commit = await self.parts.checkouts.commit(self.step, self.source)
        await self.parts.network.confine()
        secret, builder_id = self.parts.directory.content_secret, await self.method.builder_id()
        key = content_key(secret, self.source, commit, builder_id)
        return self.parts.names.built(self.step.release.slug, key)

    async def _pin(self, found: ImageFacts, reference: str) -> ImageFacts:
        image = Image(reference=reference, id=found.id)
        await self.parts.release_images.pin(self.step, found, image)
        self.step.detail = f"commit {(self.step.release.commit or '')[:_SHORT]} is {reference}"
        return found
