"""The volumes of an application belong to its image's user, so that it can write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aweigh.images.user import runs_as_root

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aweigh.containers.spec import ContainerSpec, Mount
    from aweigh.images.facts import ImageFacts
    from aweigh.servers.server import Server


@dataclass(frozen=True)
class MountedVolumes:
    """The volumes that an image's containers are made with; `fresh`: nothing has run with them."""

    user: str
    fresh: frozenset[str]

    async def create(self, server: Server, spec: ContainerSpec) -> None:
        """Create a container, of whose volumes the fresh ones are its user's.

        The engine gives an empty volume the image's content and owner each time that a container
        is created with it: of those that are used already, that would take them away again.

        Raises:
            NameTaken: a container of that name exists.
            StepError: the engine refused.
        """
        if runs_as_root(self.user):
            await server.engine.create(spec)
            return
        mounts = tuple(
            one if one.is_bind or one.source in self.fresh else replace(one, no_copy=True)
            for one in spec.mounts
        )
        await server.engine.create(replace(spec, mounts=mounts))
        paths = [one.target for one in mounts if one.source in self.fresh and not one.read_only]
        if paths:
            await server.volumes.give(spec.name, paths, self.user)


async def volumes_of(server: Server, image: ImageFacts, mounts: Iterable[Mount]) -> MountedVolumes:
    """Raises: StepError: the engine does not answer."""
    names = [one.source for one in mounts if not one.is_bind]
    looked_at = names and not runs_as_root(image.user)
    fresh = await server.volumes.untouched(names) if looked_at else frozenset()
    return MountedVolumes(image.user, fresh)
