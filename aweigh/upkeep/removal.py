"""The removal of an application from its server."""

from aweigh.builds.containers import BuildContainers
from aweigh.containers.application_networks import ApplicationNetworks
from aweigh.contract import Removal
from aweigh.engine.own_containers import OwnContainers
from aweigh.routing.drain import Drain
from aweigh.routing.live_state import LiveState
from aweigh.upkeep.sweep import Sweep


class ApplicationRemoval:
    """Removes applications. Callers hold the application's lock."""

    def __init__(
        self,
        live: LiveState,
        drain: Drain,
        containers: OwnContainers,
        networks: ApplicationNetworks,
        builds: BuildContainers,
        sweep: Sweep,
    ) -> None:
        self._live = live
        self._drain = drain
        self._containers = containers
        self._networks = networks
        self._builds = builds
        self._sweep = sweep

    async def remove(self, removal: Removal) -> None:
        """Remove an application's routes, then its containers, images, networks and, if requested,
        volumes.

        Raises:
            StepError: the engine rejected a call, or does not answer.
        """
        if live := await self._live.close(removal):
            await self._drain.until_unrouted(live.generation)
        containers = await self._containers.of_application(removal.application)
        await self._containers.stop_and_remove(containers)
        await self._builds.remove_application(removal.application)
        await self._sweep.remove_images(removal.slug)
        await self._networks.remove(removal.slug)
        await self._sweep.networks()
        if removal.volumes:
            await self._networks.remove_volumes(removal.application)
