"""The replicas of a release: made, found, and given room by stopping what ran before."""

from dataclasses import replace
from typing import Final

from aweigh.containers.engine import Container
from aweigh.containers.installation import Installation
from aweigh.containers.own_containers import OwnContainers
from aweigh.containers.prerequisites import Prepared, Prerequisites
from aweigh.containers.spec import DEPLOYMENT, INSTANCE, ContainerSpec, all_mounts, replica_spec
from aweigh.core.errors import AddressTaken, GenerationGone, NameTaken, StepFailed, StepUnavailable
from aweigh.core.tasks import together
from aweigh.deployments.application import Strategy, chosen_strategy
from aweigh.deployments.deployment import Reason
from aweigh.deployments.release import Release
from aweigh.images.facts import ImageFacts, exposed_port
from aweigh.routing.live_state import LiveState
from aweigh.routing.route import Generation

_ADDRESS_ATTEMPTS: Final = 5


class Replicas:
    """Called under the application's lock."""

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
        """Have every replica run, as the release's strategy says.

        All steps and the reconciler make containers by this: where two releases at a time would
        be wrong, the others always stop first.

        Raises:
            StepError: the engine refused, with the reason.
        """
        _refuse_unroutable(release, image)
        await self.stop_previous(release, image)
        live = self._live.files.live(release.slug)
        addresses: tuple[str, ...] = ()
        if live and live.is_of(release):
            addresses = live.generation.addresses  # made again where they were
        async with self._prerequisites.ensured(release, image) as prepared:
            specs = [
                self._spec(release, image, replica, addresses[replica] if addresses else "")
                for replica in range(release.settings.replicas)
            ]
            await together(self._ensure_one(release, spec, prepared) for spec in specs)

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
        # One that was disconnected from its network by hand could not be reached.
        runs = (
            found
            and found.status in ("running", "restarting")
            and self._installation.names.own_address(found.addresses)
        )
        if mine and runs:
            return
        # A start that failed or that nobody saw through leaves a container behind; so does a
        # deployment that the database, restored from a backup, knows nothing of.
        if found:
            await self._containers.remove([found])
        await self._make(spec, prepared)

    async def _make(self, spec: ContainerSpec, prepared: Prepared) -> None:
        for _ in range(_ADDRESS_ATTEMPTS):
            address = spec.address or await prepared.free_address()
            try:
                await prepared.start(replace(spec, address=address))
            except AddressTaken:
                continue
            except NameTaken as error:
                raise StepUnavailable(Reason.START_FAILED, f"{spec.name} just appeared") from error
            else:
                return
        raise StepUnavailable(Reason.START_FAILED, f"No free address was found for {spec.name}.")

    async def all_of(self, release: Release) -> list[Container]:
        """The replicas there are, in order, whatever their number and state."""
        return await self._containers.replicas(release.application, release.sequence)

    async def started(self, release: Release) -> list[Container]:
        """Every replica, in order, whether it runs or has ended since.

        Raises:
            GenerationGone: one was never started, or is not there any more.
        """
        found = await self._containers.replicas_of(release)
        return _all_of(release, [one for one in found if one.status != "created"])

    async def running(self, release: Release) -> list[Container]:
        """Every replica, in order.

        Raises:
            GenerationGone: one does not run.
        """
        found = await self._containers.replicas_of(release)
        return _all_of(release, [one for one in found if one.running])

    def generation(
        self, release: Release, image: ImageFacts, replicas: list[Container]
    ) -> Generation:
        """What the route file says that makes these replicas the live ones."""
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
        """`recreate`: nothing else of the application runs beside this release."""
        if chosen_strategy(release.settings, image.volumes) is Strategy.RECREATE:
            await self._containers.park(await self._containers.others(release))

    async def stop_previous_writers(self, release: Release, image: ImageFacts) -> None:
        """`recreate`: nothing else of the application has a volume to which the release command
        may write."""
        names, settings = self._installation.names, release.settings
        mounts = all_mounts(names, release.slug, settings, image)
        exclusive = any(volume.exclusive for volume in settings.volumes)
        if exclusive or not all(mount.read_only for mount in mounts):
            await self.stop_previous(release, image)


def _all_of(release: Release, found: list[Container]) -> list[Container]:
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
        f"Container {name!r} belongs to another installation; give this one its own name prefix "
        "(AWEIGH_PREFIX).",
    )
