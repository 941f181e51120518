"""Repairs a live application: its route file and its containers."""

from typing import Final

import structlog

from aweigh.containers.application_networks import ApplicationNetworks
from aweigh.containers.replicas import Replicas
from aweigh.contract import KnownApplication, KnownDeployment
from aweigh.core.errors import AweighError
from aweigh.deployments.deployment import DeploymentState
from aweigh.engine.container import Container
from aweigh.engine.labels import RESTART
from aweigh.engine.own_containers import OwnContainers
from aweigh.images.release_images import ReleaseImages
from aweigh.routing.drain import Drain
from aweigh.routing.live_state import LiveState
from aweigh.routing.route import Generation
from aweigh.routing.route_files import RouteFile
from aweigh.servers.api_client import Api

_log = structlog.get_logger(__name__)

_STOPPED: Final = ("created", "exited")
#: With these restart policies, a container is always meant to run again.
_ENDLESS: Final = ("always", "unless-stopped")


class RouteRepair:
    """Repairs route files. Callers hold the application's lock."""

    def __init__(
        self,
        api: Api,
        live: LiveState,
        drain: Drain,
        replicas: Replicas,
        images: ReleaseImages,
    ) -> None:
        self._api = api
        self._live = live
        self._drain = drain
        self._replicas = replicas
        self._images = images

    async def repair(self, known: KnownApplication) -> RouteFile | None:
        """Return the application's route file, replacing a lost one or a failed deployment's."""
        file = self._live.route_file(known.slug)
        if file and not self._is_left_by_a_failure(known, file):
            return file
        if file and self._live.can_go_back(file):
            await self._drain.take_back(file)
            _log.warning("rolled back the route of a failed deployment", slug=known.slug)
            return self._live.route_file(known.slug)
        if known.removed or known.in_flight:
            return file
        if live := known.live_deployment:
            return await self._write_again(known, live) or file
        if file:  # nothing was live before
            await self._drain.take_back(file)
        return None

    def _is_left_by_a_failure(self, known: KnownApplication, file: RouteFile) -> bool:
        sequence = file.generation.sequence
        state = known.state_of(sequence)
        # The record of a live one is never deleted, so an ended one without a record is not live.
        is_deleted = state is None and known.has_ended(sequence)
        failed = state is DeploymentState.FAILED or is_deleted
        return failed and not self._live.is_beyond_return(file)

    async def _write_again(
        self, known: KnownApplication, live: KnownDeployment
    ) -> RouteFile | None:
        """Return the live deployment's route file, rewritten if all its containers still exist."""
        try:
            release = await self._api.release(live.id)
            found = await self._replicas.of(release)
            image = await self._images.find(found[0].image_id) if found else None
            if image is None or len(found) != release.settings.replicas:
                _report_lost_route(known, "some of its containers are missing")
                return None
            generation = self._replicas.generation(release, image, found)
            file = await self._live.make_live(generation, release.settings)
        except (AweighError, ValueError) as error:
            _report_lost_route(known, str(error))
            return None
        _log.warning("wrote a lost route file again", slug=known.slug)
        return file


class ContainerRepair:
    """Repairs containers of live generations. Callers hold the application's lock."""

    def __init__(
        self,
        api: Api,
        containers: OwnContainers,
        networks: ApplicationNetworks,
        replicas: Replicas,
        images: ReleaseImages,
    ) -> None:
        self._api = api
        self._containers = containers
        self._networks = networks
        self._replicas = replicas
        self._images = images

    async def repair(self, file: RouteFile) -> bool:
        """Start stopped live containers and recreate missing ones; return False if that failed."""
        generation = file.generation
        found = await self._containers.replicas(generation.application, generation.sequence)
        for one in found:
            if not (one.running or one.status == "restarting" or _shall_run(one)):
                _log.warning("a live container does not run", container=one.name, status=one.status)
        # Their network was removed, or they were disconnected from it, by hand.
        cut_off = await self._networks.cut_off(generation.slug, found)
        stopped = [one for one in found if one not in cut_off and _shall_run(one)]
        missing = len(generation.addresses) - len(found) + len(cut_off)
        if not stopped and missing <= 0:
            return True
        try:
            await self._run_again(generation, stopped, cut_off, missing)
        except AweighError as error:
            _log.error("a live container cannot run again", slug=generation.slug,
                       error=str(error))  # fmt: skip
            return False
        _log.warning("live containers run again", slug=generation.slug, made=missing,
                     started=[one.name for one in stopped])  # fmt: skip
        return True

    async def _run_again(
        self,
        generation: Generation,
        stopped: list[Container],
        cut_off: list[Container],
        missing: int,
    ) -> None:
        """Start stopped containers, and recreate missing ones with the same name, address and
        image.

        Raises:
            AweighError: the image or the release is gone, or the engine rejected a call.
        """
        image = await self._images.find(generation.image_id)
        if image is None:
            raise AweighError(f"its image {generation.image_id} is gone too; deploy again")
        release = await self._api.release(generation.deployment)
        await self._replicas.stop_previous(release, image)
        await self._containers.stop_and_remove(cut_off)
        await self._containers.run_again(stopped)
        if missing > 0:
            await self._replicas.ensure(release, image)


def _shall_run(one: Container) -> bool:
    """Whether a stopped container should run according to its application's restart policy.

    A container stopped or killed by hand would stay so, while the proxy sends it requests. To take
    an application off its server, remove it.
    """
    if one.status not in _STOPPED:
        return False
    policy = one.labels.get(RESTART, "no")
    parked = one.restart != policy  # parked for a deployment whose undo never ran
    return policy in _ENDLESS or (policy == "on-failure" and (parked or one.exit_code != 0))


def _report_lost_route(known: KnownApplication, why: str) -> None:
    _log.error("a route file is lost; deploy the application again", slug=known.slug, why=why)
