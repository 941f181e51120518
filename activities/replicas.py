"""The containers of one release: made so, looked at, and taken away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from activities.draining import is_parked, park
from activities.surroundings import port_taken, with_real_binds
from activities.volumes import MountedVolumes, volumes_of
from aweigh.containers.spec import (
    APPLICATION,
    DEPLOYMENT,
    INSTANCE,
    REPLICA,
    ROLE,
    SEQUENCE,
    all_mounts,
    replica_spec,
    sequence_of,
)
from aweigh.core.errors import (
    AddressTaken,
    GenerationGone,
    NameTaken,
    StepFailed,
    StepUnavailable,
)
from aweigh.core.tasks import together
from aweigh.deployments.application import Strategy, chosen_strategy
from aweigh.deployments.deployment import Reason
from aweigh.images.facts import exposed_port
from aweigh.routing.route import Generation

if TYPE_CHECKING:
    from aweigh.containers.engine import Container
    from aweigh.containers.spec import ContainerSpec
    from aweigh.containers.subnet import Bridge
    from aweigh.deployments.release import Release
    from aweigh.images.facts import ImageFacts
    from aweigh.servers.server import Server

_ADDRESS_ATTEMPTS: Final = 5
_PORT_WORDS: Final = ("already allocated", "already in use")


@dataclass(frozen=True)
class Surroundings:
    """What the containers of a release are made with."""

    bridge: Bridge
    volumes: MountedVolumes


class Replicas:
    """The replicas of one release on one server. Called under the application's lock."""

    def __init__(self, server: Server, release: Release, image: ImageFacts) -> None:
        self._server = server
        self._release = release
        self._image = image
        self.port = exposed_port(release.settings, image)

    async def ensure(self) -> bool:
        """Have every replica run, as the strategy says; whether any had to be made.

        All steps and the reconciler make containers by this: where two releases at a time would
        be wrong, the others always stop first.

        Raises:
            StepError: the engine refused, with the reason.
        """
        self._refuse_unroutable()
        await self.make_way()
        committed = self._server.commits.live(self._release.slug)
        addresses: tuple[str, ...] = ()
        if committed and committed.names(self._release):
            addresses = committed.generation.addresses  # made again where they were
        async with self.surroundings() as around:
            made = await together(
                self._ensure_one(replica, addresses[replica] if addresses else None, around)
                for replica in range(self._release.settings.replicas)
            )
        return any(made)

    def _refuse_unroutable(self) -> None:
        if self._release.settings.domains and self.port is None:
            exposed = self._image.exposed_tcp
            raise StepFailed(
                Reason.START_FAILED,
                f"A domain needs a port, and the image {self._release.image.reference} exposes "
                f"{list(exposed) or 'none'}; set the application's `port`.",
            )
        settings = self._release.settings
        if not (self._image.has_command or settings.command or settings.entrypoint):
            raise StepFailed(
                Reason.START_FAILED,
                f"The image {self._release.image.reference} has no command; "
                "set the application's `command`.",
            )

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[Surroundings]:
        """Ensure the networks, volumes and packet filter that this release's containers need.

        Where the packet filter cannot be set, preflight and the reconciler report it.
        """
        server, release = self._server, self._release
        await server.walls.missing()
        bridge = await server.application_networks.ensure(release.application, release.slug)
        mounts = all_mounts(server.names, release.slug, release.settings, self._image)
        for mount in mounts:
            if not mount.is_bind:
                labels = {APPLICATION: release.application}
                await server.networks.ensure_volume(mount.source, labels)
        volumes = await volumes_of(server, self._image, mounts)
        async with server.networks.held(server.names, release.settings.networks):
            yield Surroundings(bridge, volumes)

    async def _ensure_one(self, replica: int, address: str | None, around: Surroundings) -> bool:
        server, release = self._server, self._release
        name = server.names.container(release.slug, release.sequence, replica)
        found = await server.engine.container(name)
        if found and found.labels.get(INSTANCE) != server.instance:
            raise foreign_container(name)
        mine = found and found.labels.get(DEPLOYMENT) == release.deployment
        # One that was cut off from its network by hand would be asked in vain.
        runs = found and found.status in ("running", "restarting") and server.address_of(found)
        if mine and runs:
            return False
        # A start that failed or that nobody saw through leaves a container behind; so does a
        # deployment that the database, restored from a backup, knows nothing of.
        if found:
            await server.engine.remove(name)
        await self._make(replica, address, around)
        return True

    async def _make(self, replica: int, address: str | None, around: Surroundings) -> None:
        networks = self._server.application_networks
        for _ in range(_ADDRESS_ATTEMPTS):
            taken = address or await networks.take_address(around.bridge, self._release.slug)
            spec = replica_spec(
                instance=self._server.instance,
                names=self._server.names,
                release=self._release,
                image=self._image,
                replica=replica,
                address=taken,
                port=self.port,
                routing=self._server.routing,
            )
            try:
                await self._start(with_real_binds(self._server, spec), around.volumes)
            except AddressTaken:
                continue
            except NameTaken as error:
                raise StepUnavailable(Reason.START_FAILED, f"{spec.name} just appeared") from error
            else:
                return
        raise StepUnavailable(Reason.START_FAILED, f"no free address was found for {replica}")

    async def _start(self, spec: ContainerSpec, volumes: MountedVolumes) -> None:
        await volumes.create(self._server, spec)
        try:
            await self._server.engine.start(spec.name)
        except StepFailed as error:
            await self._server.engine.remove(spec.name)
            if spec.ports and any(words in error.message for words in _PORT_WORDS):
                raise await self._port_taken(spec, error) from error
            raise

    async def _port_taken(self, spec: ContainerSpec, error: StepFailed) -> StepFailed:
        for port in spec.ports:
            if holder := await self._server.holder_of(port.host, port.protocol):
                return port_taken(port, holder)
        return StepFailed(Reason.PORT_TAKEN, error.message)

    async def containers(self) -> list[Container]:
        """The replicas there are, in order."""
        release = self._release
        found = await replicas_of(self._server, release.application, release.sequence)
        return [one for one in found if one.labels.get(DEPLOYMENT) == release.deployment]

    async def made(self) -> list[Container]:
        """Every replica, in order, whether it runs or has ended since.

        Raises:
            GenerationGone: one was never started, or is not there any more.
        """
        found = [one for one in await self.containers() if one.status != "created"]
        self._require(found)
        return found

    async def running(self) -> list[Container]:
        """Every replica, in order.

        Raises:
            GenerationGone: one does not run.
        """
        found = [one for one in await self.containers() if one.running]
        self._require(found)
        return found

    def _require(self, found: list[Container]) -> None:
        expected = self._release.settings.replicas
        if len(found) != expected:
            raise GenerationGone(self._release.slug, len(found), expected)

    def _strategy(self) -> Strategy:
        return chosen_strategy(self._release.settings, self._image.volumes)

    async def make_way(self) -> None:
        """`recreate`: nothing else of the application runs beside this release."""
        if self._strategy() is Strategy.RECREATE:
            await self._stop_others()

    async def make_way_for_command(self) -> None:
        """`recreate`: nothing else of it has a volume while the release command may write there."""
        release = self._release
        mounts = all_mounts(self._server.names, release.slug, release.settings, self._image)
        exclusive = any(volume.exclusive for volume in release.settings.volumes)
        if exclusive or not all(mount.read_only for mount in mounts):
            await self.make_way()

    async def _stop_others(self) -> None:
        """Stop the application's other containers and keep them, so that they can run again."""
        others = await other_containers(self._server, self._release)
        await together(park(self._server, one) for one in others if not is_parked(one))


def foreign_container(name: str) -> StepFailed:
    return StepFailed(
        Reason.START_FAILED,
        f"A container named {name!r} belongs to somebody else; give this installation a "
        "name prefix of its own (AWEIGH_PREFIX).",
    )


def generation_of(
    server: Server, release: Release, image: ImageFacts, replicas: list[Container]
) -> Generation:
    """What the committed file of these replicas says."""
    return Generation(
        instance=server.instance,
        application=release.application,
        slug=release.slug,
        deployment=release.deployment,
        sequence=release.sequence,
        image_id=image.id,
        addresses=tuple(map(server.address_of, replicas)),
        port=exposed_port(release.settings, image),
    )


async def replicas_of(server: Server, application: str, sequence: int) -> list[Container]:
    labels = {INSTANCE: server.instance, APPLICATION: application, SEQUENCE: str(sequence)}
    found = await server.engine.containers(labels | {ROLE: "replica"})
    return sorted(found, key=lambda one: (one.labels.get(REPLICA, "").zfill(3), one.name))


async def jobs_of(server: Server, application: str, sequence: int) -> list[Container]:
    """The container of a deployment's release command, while there is one."""
    labels = {INSTANCE: server.instance, APPLICATION: application, SEQUENCE: str(sequence)}
    return await server.engine.containers(labels | {ROLE: "release"})


async def older_replicas(server: Server, release: Release) -> list[Container]:
    """The containers of every generation before this one."""
    labels = {INSTANCE: server.instance, APPLICATION: release.application, ROLE: "replica"}
    return [
        one
        for one in await server.engine.containers(labels)
        if 0 < sequence_of(one.labels) < release.sequence
    ]


async def other_containers(server: Server, release: Release) -> list[Container]:
    """The application's containers of any other deployment, and release commands of any."""
    labels = {INSTANCE: server.instance, APPLICATION: release.application}
    return [
        one
        for one in await server.engine.containers(labels)
        if one.labels.get(ROLE) == "release"
        or (one.labels.get(ROLE) == "replica" and one.labels.get(DEPLOYMENT) != release.deployment)
    ]
