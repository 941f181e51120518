"""The sweep: images that no kept release needs, and networks that no container is in."""

from datetime import UTC, datetime

from aweigh.containers.naming import Names
from aweigh.containers.networks import Networks
from aweigh.contract import KnownApplication
from aweigh.images.retention import Retention


class Sweep:
    def __init__(self, names: Names, networks: Networks, retention: Retention) -> None:
        #: Networks that stay, whether or not a container is in them.
        self._kept_networks = {names.bridge, names.build_network}
        self._networks = networks
        self._retention = retention

    async def application(self, known: KnownApplication) -> int:
        """Take our names off an application's images that it does not keep; return how many."""
        return await self._retention.sweep_application(known)

    async def images(self) -> None:
        """Remove images that were pulled for releases, or for builds, and that none needs now."""
        await self._retention.remove_pulled()
        await self._retention.remove_unused_for_builds(datetime.now(UTC))

    async def remove_images(self, slug: str) -> None:
        """Take our names off all images of an application that is removed."""
        await self._retention.remove_application(slug)

    async def networks(self) -> None:
        await self._networks.remove_unused_networks(self._kept_networks)
