"""The sweep: removes images that no kept release needs, and networks without containers."""

from datetime import UTC, datetime

from aweigh.containers.networks import Networks
from aweigh.contract import KnownApplication
from aweigh.engine.naming import Names
from aweigh.images.retention import Retention


class Sweep:
    def __init__(self, names: Names, networks: Networks, retention: Retention) -> None:
        #: Networks that stay even without containers.
        self._kept_networks = {names.bridge, names.build_network}
        self._networks = networks
        self._retention = retention

    async def application(self, known: KnownApplication) -> int:
        """Remove our tags from an application's images that are not kept; return how many."""
        return await self._retention.sweep_application(known)

    async def pulled_images(self) -> None:
        """Remove images that were pulled for releases, and that none needs now."""
        await self._retention.remove_pulled()

    async def build_images(self) -> None:
        """Remove images that were pulled for builds, and that none has needed for long."""
        await self._retention.remove_unused_for_builds(datetime.now(UTC))

    async def remove_images(self, slug: str) -> None:
        """Remove our tags from all images of a removed application."""
        await self._retention.remove_application(slug)

    async def networks(self) -> None:
        await self._networks.remove_unused_networks(self._kept_networks)
