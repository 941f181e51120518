"""Creates and finds a release's replicas, stopping earlier ones where the strategy requires it."""

from dataclasses import replace
from typing import Final

from aweigh.containers.prerequisites import Prepared, Prerequisites
from aweigh.containers.spec import (
    all_mounts,
    replica_spec,
)
from aweigh.core.errors import (
    AddressTaken,
    NameTaken,
)
from aweigh.core.tasks import gather_all
from aweigh.deployments.application import Strategy, chosen_strategy
from aweigh.deployments.deployment import Reason
from aweigh.deployments.release import Release
from aweigh.deployments.step_errors import (
    GenerationGone,
    StepFailed,
    StepUnavailable,
)
from aweigh.engine.container import Container
from aweigh.engine.container_spec import ContainerSpec
from aweigh.engine.installation import Installation
from aweigh.engine.labels import (
    DEPLOYMENT,
    INSTANCE,
)
from aweigh.engine.own_containers import OwnContainers
from aweigh.images.facts import ImageFacts, exposed_port
from aweigh.routing.live_state import LiveState
from aweigh.routing.route import Generation

_ADDRESS_ATTEMPTS: Final = 5


class Replicas:
    """The replicas of releases. Callers hold the application's lock."""

    def __init__(
        self,
        installation: Installation,
        containers: OwnContainers,
        prerequisites: Prerequisites,
        live: LiveState,
    ) -> None:
        self._installation = installation
        self._containers = containers
        self._prerequisites = prerequisites
        self._live = live

    async def ensure(self, release: Release, image: ImageFacts) -> None:
        """Start all missing replicas, following the release's strategy.

        All steps and the reconciler create replicas here, so with `recreate` the other deployments'
        containers are always stopped first.

        Raises:
            StepError: the engine rejected a call, with the reason.
        """
        _refuse_unroutable(release, image)
        await self.stop_previous(release, image)
        live = self._live.route_file(release.slug)
        addresses: tuple[str, ...] = ()
        if live and live.is_of(release):
            addresses = live.generation.addresses  # recreate replicas at their live addresses
        async with self._prerequisites.ensured(release, image) as prepared:
            specs = [
                self._spec(release, image, replica, addresses[replica] if addresses else "")
                for replica in range(release.settings.replicas)
            ]
            await gather_all(self._ensure_one(release, spec, prepared) for spec in specs)

    def _spec(
        self, release: Release, image: ImageFacts, replica: int, address: str
    ) -> ContainerSpec:
        return replica_spec(
            instance=self._installation.instance,
            names=self._installation.names,
            release=release,
            image=image,
            replica=replica,
            address=address,
            port=exposed_port(release.settings, image),
            routing=self._live.routing,
        )

    async def _ensure_one(self, release: Release, spec: ContainerSpec, prepared: Prepared) -> None:
        found = await self._containers.find(spec.name)
        if found and found.labels.get(INSTANCE) != self._installation.instance:
            raise foreign_container(spec.name)
        mine = found and found.labels.get(DEPLOYMENT) == release.deployment
        # A container disconnected from its network by hand would be unreachable.
        runs = (
            found
            and found.status in ("running", "restarting")
            and self._installation.names.own_address(found.addresses)
        )
        if mine and runs:
            return
        # A failed or interrupted start leaves a container behind. So does a deployment that is
        # missing in a database restored from a backup.
        if found:
            await self._containers.remove([found])
        await self._make(spec, prepared)

    async def _make(self, spec: ContainerSpec, prepared: Prepared) -> None:
        for _ in range(_ADDRESS_ATTEMPTS):
            address = spec.address or await prepared.free_address()
            addressed = replace(spec, address=address)
            try:
                await prepared.create(addressed)
                await prepared.start(addressed)
            except AddressTaken:
                continue
            except NameTaken as error:
                raise StepUnavailable(
                    Reason.START_FAILED,
                    f"Container {spec.name} was created by another process at the same time.",
                ) from error
            else:
                return
        raise StepUnavailable(Reason.START_FAILED, f"No free address was found for {spec.name}.")

    async def of(self, release: Release) -> list[Container]:
        """Return the deployment's replicas, in order, whatever their number and state."""
        return await self._containers.replicas_of(release)

    async def started(self, release: Release) -> list[Container]:
        """Return all replicas, in order, whether they run or have ended.

        Raises:
            GenerationGone: a replica was never started, or is gone.
        """
        found = await self._containers.replicas_of(release)
        return _require_all(release, [one for one in found if one.status != "created"])

    async def running(self, release: Release) -> list[Container]:
        """Return all replicas, in order.

        Raises:
            GenerationGone: a replica does not run.
        """
        found = await self._containers.replicas_of(release)
        return _require_all(release, [one for one in found if one.running])

    def generation(
        self, release: Release, image: ImageFacts, replicas: list[Container]
    ) -> Generation:
        """Return the entry for the route file that makes these replicas the live ones."""
        installation = self._installation
        return Generation(
            instance=installation.instance,
            application=release.application,
            slug=release.slug,
            deployment=release.deployment,
            sequence=release.sequence,
            image_id=image.id,
            addresses=tuple(installation.names.own_address(one.addresses) for one in replicas),
            port=exposed_port(release.settings, image),
        )

    async def stop_previous(self, release: Release, image: ImageFacts) -> None:
        """With `recreate`, stop everything else of the application."""
        if chosen_strategy(release.settings, image.volumes) is Strategy.RECREATE:
            await self._containers.stop_and_keep(await self._containers.others(release))

    async def stop_previous_writers(self, release: Release, image: ImageFacts) -> None:
        """With `recreate`, stop everything else if the release command may write to its volumes."""
        names, settings = self._installation.names, release.settings
        mounts = all_mounts(names, release.slug, settings, image)
        exclusive = any(volume.exclusive for volume in settings.volumes)
        if exclusive or not all(mount.read_only for mount in mounts):
            await self.stop_previous(release, image)


def _require_all(release: Release, found: list[Container]) -> list[Container]:
    if len(found) != release.settings.replicas:
        raise GenerationGone(release.slug, len(found), release.settings.replicas)
    return found


def _refuse_unroutable(release: Release, image: ImageFacts) -> None:
    settings, reference = release.settings, release.image.reference
    if settings.domains and exposed_port(settings, image) is None:
        raise StepFailed(
            Reason.START_FAILED,
            f"A domain needs a port, and the image {reference} exposes "
            f"{list(image.exposed_tcp) or 'none'}; set the application's `port`.",
        )
    if not (image.has_command or settings.command or settings.entrypoint):
        raise StepFailed(
            Reason.START_FAILED,
            f"The image {reference} has no command; set the application's `command`.",
        )


def foreign_container(name: str) -> StepFailed:
    return StepFailed(
        Reason.START_FAILED,
        f"Container {name!r} belongs to another installation; set a different name prefix "
        "(AWEIGH_PREFIX).",
    )
