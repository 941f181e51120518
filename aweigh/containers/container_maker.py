"""Creates and starts single containers with their volumes and host resources."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from aweigh.containers.host_access import HostAccess
from aweigh.containers.volume_owners import VolumeOwners
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.container_spec import ContainerSpec
from aweigh.engine.engine import Engine
from aweigh.images.user import runs_as_root

_PORT_WORDS: Final = ("already allocated", "already in use")


@dataclass(frozen=True)
class VolumeUser:
    """The user that an image runs as, and the volumes that need to be given to that user."""

    user: str
    #: Volumes that no container has run with yet.
    fresh: frozenset[str]


class ContainerMaker:
    def __init__(self, engine: Engine, host: HostAccess) -> None:
        self._engine = engine
        self._host = host
        self._owners = VolumeOwners(engine)

    async def volume_user(self, user: str, volumes: Iterable[str]) -> VolumeUser:
        """Return the user and its fresh volumes; call it before the first container is created.

        Raises:
            StepError: the engine does not answer.
        """
        if runs_as_root(user):
            return VolumeUser(user, frozenset())
        return VolumeUser(user, await self._owners.untouched(volumes))

    async def create(self, spec: ContainerSpec, owner: VolumeUser) -> None:
        """Create a container whose fresh volumes belong to the image's user.

        Raises:
            NameTaken: a container of that name exists.
            StepFailed: a bind mount is not allowed, or the engine refused the container.
            StepUnavailable: the engine does not answer.
        """
        await self._create(self._host.with_resolved_binds(spec), owner)

    async def start(self, spec: ContainerSpec) -> None:
        """Start a container that was created; remove it if it does not start.

        Raises:
            AddressTaken: another container has its address.
            StepFailed: a port is taken, or it cannot be started.
            StepUnavailable: the engine does not answer.
        """
        try:
            await self._engine.start(spec.name)
        except StepFailed as error:
            await self._engine.remove(spec.name)
            if spec.ports and any(words in error.message for words in _PORT_WORDS):
                raise await self._host.taken_port_of(spec, error) from error
            raise

    async def _create(self, spec: ContainerSpec, owner: VolumeUser) -> None:
        """Create a container and give its fresh volumes to their user.

        The engine copies the image's content and owner into an empty volume each time a container
        is created with it. For a volume in use that would undo the application's changes.
        """
        if runs_as_root(owner.user):
            await self._engine.create(spec)
            return
        mounts = tuple(
            one if one.is_bind or one.source in owner.fresh else replace(one, no_copy=True)
            for one in spec.mounts
        )
        await self._engine.create(replace(spec, mounts=mounts))
        paths = [one.target for one in mounts if one.source in owner.fresh and not one.read_only]
        if paths:
            await self._owners.give(spec.name, paths, owner.user)
