"""The reconciler of a server: compares what runs there with what the database expects."""

from collections.abc import Mapping
from functools import partial

import structlog

from aweigh.builds.containers import BuildContainers
from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.containers.application_networks import ApplicationNetworks
from aweigh.contract import Findings, Inventory, KnownApplication
from aweigh.core.background_tasks import BackgroundTasks
from aweigh.core.threads import in_thread
from aweigh.engine.engine import Container
from aweigh.engine.own_containers import OwnContainers
from aweigh.routing.proxy_guard import ProxyGuard
from aweigh.routing.route_files import RouteFiles
from aweigh.servers.api_client import Api
from aweigh.servers.journal import Journal
from aweigh.upkeep.application_reconciler import ApplicationReconciler, in_doubt
from aweigh.upkeep.findings import Found
from aweigh.upkeep.sweep import Sweep

_log = structlog.get_logger(__name__)


class ServerGuards:
    """Parts that all applications of a server depend on: the packet filter and the proxy."""

    def __init__(
        self, firewall: ApplicationFirewall, proxy: ProxyGuard, route_files: RouteFiles
    ) -> None:
        self._firewall = firewall
        self._proxy = proxy
        self._route_files = route_files

    async def ensure(self, found: Found) -> None:
        """Repair both, and report route files that keep the proxy from reloading."""
        for path in await in_thread(self._route_files.unreadable):
            _log.error(
                "this invalid file keeps the proxy from reloading its routes", file=str(path)
            )
        with found.isolating("packet filter"):
            if warning := await self._firewall.ensure():
                _log.warning(warning)
        with found.isolating("proxy"):
            await self._proxy.ensure_if_needed()


class RemovedApplications:
    """Removed applications that left something on the server."""

    def __init__(self, api: Api, route_files: RouteFiles, networks: ApplicationNetworks) -> None:
        self._api = api
        self._route_files = route_files
        self._networks = networks

    async def find(
        self, inventory: Inventory, containers: Mapping[str, list[Container]], found: Found
    ) -> list[KnownApplication]:
        """Return removed applications with leftovers here; the general inventory omits them."""
        here = {file.generation.application for file in await in_thread(self._route_files.all)}
        here |= await self._networks.owners()
        listed = {one.id for one in inventory.applications} | set(inventory.skipped)
        removed: list[KnownApplication] = []
        for application_id in sorted((here | set(containers)) - listed):
            with found.isolating(application_id):
                asked = (await self._api.inventory(application_id)).applications
                removed += [one for one in asked if one.removed]
                if not asked:
                    names = [one.name for one in containers.get(application_id, [])]
                    _log.warning("found objects of an unknown application",
                                 application=application_id, containers=names)  # fmt: skip
        return removed


class EndedDeployments:
    """Files, build containers and volumes that ended deployments left on the server."""

    def __init__(self, journal: Journal, builds: BuildContainers) -> None:
        self._journal = journal
        self._builds = builds
        self._background = BackgroundTasks()

    async def seen(self) -> tuple[set[str], set[str]]:
        """Return the deployments with files in the journal, and those with remains of builds."""
        return set(self._journal.deployments()), await self._builds.deployments()

    async def discard(
        self, seen: tuple[set[str], set[str]], wanted: set[str], found: Found
    ) -> None:
        """Remove files and build remains of deployments that are not wanted any more."""
        journalled, built = seen
        for deployment_id in sorted(journalled - wanted):
            with found.isolating(deployment_id):
                self._journal.forget(deployment_id)
        for deployment_id in sorted(built - wanted):
            with found.isolating(deployment_id):
                work = partial(self._builds.discard, deployment_id)
                await self._background.wait(deployment_id, work)


class Reconciler:
    """Removes leftovers, restores what is missing, and reports the rest.

    It reads the highest sequences before it looks at the engine, so a deployment that begins
    meanwhile is never taken for a leftover; and it uses the steps' own lock.
    """

    def __init__(
        self,
        api: Api,
        guards: ServerGuards,
        containers: OwnContainers,
        applications: ApplicationReconciler,
        removed: RemovedApplications,
        ended: EndedDeployments,
        sweep: Sweep,
    ) -> None:
        self._api = api
        self._guards = guards
        self._containers = containers
        self._applications = applications
        self._removed = removed
        self._ended = ended
        self._sweep = sweep

    async def reconcile(self, run_id: str = "") -> Findings:
        """Reconcile the whole server; return which deployments are live and answer.

        Raises:
            Unavailable: the API does not answer.
            StepError: the engine does not answer.
        """
        seen = await self._ended.seen()
        inventory = await self._api.inventory()
        containers = await self._containers.by_application()
        found = Found(skipped=list(inventory.skipped), unsure=set(inventory.left_alone))
        removed = await self._removed.find(inventory, containers, found)
        await self._guards.ensure(found)
        outgoing: dict[str, list[Container]] = {}
        for application in (*inventory.applications, *removed):
            with found.isolating(application.slug):
                here = containers[application.id]
                stopping = await self._applications.reconcile(application, here, found)
                if stopping is not None:
                    outgoing[application.id] = stopping
                    await self._sweep.application(application)
        with found.isolating("leftovers"):
            await self._applications.stop(outgoing)
        await self._ended.discard(seen, wanted(inventory), found)
        with found.isolating("images"):
            await self._sweep.pulled_images()
        with found.isolating("images for builds"):
            await self._sweep.build_images()
        with found.isolating("networks"):
            await self._sweep.networks()
        return found.report(run_id)


def wanted(inventory: Inventory) -> set[str]:
    """Return the deployments that are open or live; all others seen before have ended."""
    return inventory.left_alone.union(*map(in_doubt, inventory.applications))
