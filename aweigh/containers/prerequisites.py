"""Networks, volumes and packet filter, which must exist before a release's containers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.containers.application_networks import ApplicationNetworks
from aweigh.containers.container_maker import ContainerMaker, VolumeUser
from aweigh.containers.networks import Networks
from aweigh.containers.spec import all_mounts
from aweigh.containers.subnet import Bridge
from aweigh.deployments.release import Release
from aweigh.engine.container_spec import ContainerSpec
from aweigh.engine.labels import APPLICATION
from aweigh.engine.naming import Names
from aweigh.images.facts import ImageFacts

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Prepared:
    """Everything needed to create the containers of one release."""

    maker: ContainerMaker
    networks: ApplicationNetworks
    bridge: Bridge
    slug: str
    owner: VolumeUser

    async def free_address(self) -> str:
        """Return an address on the application's network that no other container has."""
        return await self.networks.take_address(self.bridge, self.slug)

    async def create(self, spec: ContainerSpec) -> None:
        """Create a container; raises as `ContainerMaker.create`."""
        await self.maker.create(spec, self.owner)

    async def start(self, spec: ContainerSpec) -> None:
        """Start a created container; raises as `ContainerMaker.start`."""
        await self.maker.start(spec)


class Prerequisites:
    def __init__(
        self,
        names: Names,
        networks: Networks,
        application_networks: ApplicationNetworks,
        firewall: ApplicationFirewall,
        maker: ContainerMaker,
    ) -> None:
        self._names = names
        self._networks = networks
        self._application_networks = application_networks
        self._firewall = firewall
        self._maker = maker
        self._last_warning = ""

    @asynccontextmanager
    async def ensured(self, release: Release, image: ImageFacts) -> AsyncIterator[Prepared]:
        """Create networks, volumes and packet filter; within the block none of them is removed.

        A failure of the packet filter is logged and fails no deployment.
        """
        bridge = await self._application_networks.ensure(release.application, release.slug)
        mounts = all_mounts(self._names, release.slug, release.settings, image)
        volumes = [mount.source for mount in mounts if not mount.is_bind]
        for volume in volumes:
            await self._networks.ensure_volume(volume, {APPLICATION: release.application})
        owner = await self._maker.volume_user(image.user, volumes)
        async with self._networks.held(self._names, release.settings.networks):
            self._warn(await self._firewall.ensure())  # it knows the networks that exist
            yield Prepared(self._maker, self._application_networks, bridge, release.slug, owner)

    def _warn(self, warning: str) -> None:
        """Log a warning that the last call did not have: many containers have the same one."""
        if warning and warning != self._last_warning:
            _log.warning(warning)
        self._last_warning = warning
