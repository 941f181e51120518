"""Images in memory, and registries to pull them from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from aweigh.core.errors import PullStopped
from aweigh.core.platform import Platform
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.source import Registry
from aweigh.deployments.step_errors import StepUnavailable
from aweigh.images.facts import ImageFacts
from aweigh.images.images import Images, PullProgress, RemoteImage
from aweigh.images.pull_errors import pull_error
from aweigh.testing.engine import FakeEngine

_LAYER_BYTES: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Published:
    """An image in a registry."""

    facts: ImageFacts
    digest: str
    #: Where its manifest is an index: the platforms that it names.
    platforms: tuple[Platform, ...] = ()
    layers: tuple[str, ...] = ("0123456789ab",)
    #: The credentials that open it; None: everybody may read it.
    registry: Registry | None = None


class FakeImages(Images):
    """Images in memory; those of `registries` can be looked up and pulled.

    Errors are classified from the engine's own words, as the real part does. It leaves out:
    containers that use an image, other spellings of docker.io, layers, and images that are made of
    an archive.
    """

    def __init__(self) -> None:
        super().__init__(FakeEngine())
        #: By reference, with a tag.
        self.registries: dict[str, Published] = {}
        #: What the engine says of pulls and questions to a registry, by its host.
        self.broken: dict[str, str] = {}
        #: The engine's own platform.
        self.own = Platform("linux", "amd64")
        self._here: dict[str, ImageFacts] = {}

    def add_facts(self, facts: ImageFacts) -> ImageFacts:
        """Have an image on the engine that nobody pulled."""
        self._here[facts.id] = facts
        return facts

    async def find(self, reference: str) -> ImageFacts | None:
        for one in self._here.values():
            if reference in (one.id, *one.tags, *one.digests):
                return one
        return None

    async def look_up(self, reference: ImageReference, registry: Registry | None) -> RemoteImage:
        found = self._published(reference, registry, reference)
        return RemoteImage(found.digest, found.platforms)

    async def pull(
        self,
        reference: ImageReference,
        registry: Registry | None,
        watch: Callable[[PullProgress], bool] = lambda progress: True,
        *,
        asked: ImageReference | None = None,
        platform: Platform | None = None,
    ) -> None:
        found = self._published(reference, registry, asked or reference)
        wanted = platform or self.own
        if found.platforms and wanted not in found.platforms:
            words = f"no matching manifest for {wanted} in the manifest list entries"
            raise pull_error(words, asked or reference)
        await in_thread(lambda: _tell(found, watch))
        here = await self.find(found.facts.id) or found.facts
        by_digest = f"{reference.repository}@{found.digest}"
        kept = replace(here, digests=tuple(dict.fromkeys((*here.digests, by_digest))))
        if found.platforms:
            kept = replace(kept, platform=wanted)
        self._here[kept.id] = kept
        if reference.tag and not reference.digest:
            await self.tag(kept.id, str(reference))

    def _published(
        self, reference: ImageReference, registry: Registry | None, named: ImageReference
    ) -> Published:
        """Raises: StepError."""
        if words := self.broken.get(reference.registry):
            raise pull_error(words, named)
        for name, one in self.registries.items():
            by_digest = ImageReference.parse(name).at(one.digest)
            if str(reference.exact) in (name, str(by_digest)):
                if one.registry and one.registry != registry:
                    raise pull_error("unauthorized: authentication required", named)
                return one
        raise pull_error("manifest unknown", named)

    async def tag(self, image_id: str, name: str) -> None:
        found = await self.find(image_id)
        if found is None:
            raise StepUnavailable(
                Reason.IMAGE_NOT_FOUND, f"The image {image_id} was removed just now."
            )
        former = await self.find(name)
        if former and former.id != found.id:
            self._here[former.id] = _without(former, name)
        tags = tuple(dict.fromkeys((*found.tags, name)))
        self._here[found.id] = replace(found, tags=tags, named_at=datetime.now(UTC))

    async def untag(self, name: str) -> None:
        found = await self.find(name)
        if found is None:
            return
        left = _without(found, name)
        repositories = {tag.rpartition(":")[0] for tag in left.tags}
        if name in found.tags and name.rpartition(":")[0] not in repositories:
            # With the last tag of a repository go its names by digest.
            gone = f"{name.rpartition(':')[0]}@"
            kept = tuple(one for one in left.digests if not one.startswith(gone))
            left = replace(left, digests=kept)
        self._here[left.id] = left
        if not (left.tags or left.digests):
            del self._here[left.id]

    async def names(self) -> list[str]:
        return [tag for one in self._here.values() for tag in one.tags]

    async def tags(self, repository: str) -> dict[str, str]:
        named = [(tag.rpartition(":"), one.id) for one in self._here.values() for tag in one.tags]
        return {name[2]: image_id for name, image_id in named if name[0] == repository}


def _without(facts: ImageFacts, name: str) -> ImageFacts:
    return replace(
        facts,
        tags=tuple(one for one in facts.tags if one != name),
        digests=tuple(one for one in facts.digests if one != name),
    )


def _tell(found: Published, watch: Callable[[PullProgress], bool]) -> None:
    """Show a pull's events to its watcher. Raises: PullStopped."""
    progress = PullProgress()
    for layer in found.layers:
        size = {"current": _LAYER_BYTES, "total": _LAYER_BYTES}
        for status, detail in (("Downloading", size), ("Pull complete", {})):
            progress.take({"id": layer, "status": status, "progressDetail": detail})
            if not watch(progress):
                raise PullStopped(found.digest)
