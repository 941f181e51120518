"""Which applications the database and the engine know on a server."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from aweigh.containers.application_networks import ApplicationNetworks
from aweigh.contract import Inventory, KnownApplication
from aweigh.engine.container import Container
from aweigh.engine.own_containers import OwnContainers
from aweigh.routing.live_state import LiveState
from aweigh.servers.api_client import Api
from aweigh.upkeep.application_reconciler import in_doubt
from aweigh.upkeep.findings import FindingsBuilder

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ServerState:
    """The applications that belong on a server, and the containers that are there."""

    inventory: Inventory
    #: By the id of their application.
    containers: Mapping[str, list[Container]]

    def containers_of(self, application: KnownApplication) -> list[Container]:
        return list(self.containers.get(application.id, ()))

    @property
    def wanted(self) -> set[str]:
        """The deployments that are open or live; all others seen before have ended."""
        applications = self.inventory.applications
        return self.inventory.left_alone.union(*map(in_doubt, applications))


class ServerInventory:
    def __init__(
        self, api: Api, containers: OwnContainers, live: LiveState, networks: ApplicationNetworks
    ) -> None:
        self._api = api
        self._containers = containers
        self._live = live
        self._networks = networks

    async def take(self) -> ServerState:
        """Return what the database knows, then what the engine has.

        In this order, a deployment that begins meanwhile is never taken for a leftover.

        Raises:
            Unavailable: the API does not answer.
            StepError: the engine does not answer.
        """
        inventory = await self._api.inventory()
        return ServerState(inventory, await self._containers.by_application())

    async def removed_applications(
        self, state: ServerState, findings: FindingsBuilder
    ) -> list[KnownApplication]:
        """Return removed applications with leftovers here; the general inventory omits them."""
        here = {file.generation.application for file in await self._live.route_files()}
        here |= await self._networks.owners()
        listed = {one.id for one in state.inventory.applications} | set(state.inventory.skipped)
        removed: list[KnownApplication] = []
        for application_id in sorted((here | set(state.containers)) - listed):
            with findings.isolating(application_id):
                asked = (await self._api.inventory(application_id)).applications
                removed += [one for one in asked if one.removed]
                if not asked:
                    names = [one.name for one in state.containers.get(application_id, [])]
                    _log.warning("found objects of an unknown application",
                                 application=application_id, containers=names)  # fmt: skip
        return removed
