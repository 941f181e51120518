"""The containers, volumes and directories of builds on one engine."""

from collections.abc import Mapping
from datetime import UTC, datetime

from aweigh.builds.buildpacks.phase_containers import BUILD_ROLE, CACHE_ROLE, BuildOrder
from aweigh.builds.buildpacks.phases import Phases
from aweigh.builds.directory import BuildDirectory
from aweigh.builds.dockerfile.buildkit import BuildKit
from aweigh.builds.dockerfile.buildkit_container import DockerfileOrder
from aweigh.builds.network import BuildNetwork
from aweigh.containers.networks import Networks
from aweigh.core.tasks import gather_all
from aweigh.deployments.release import Release
from aweigh.engine.engine import Engine
from aweigh.engine.installation import Installation
from aweigh.engine.labels import (
    APPLICATION,
    DEPLOYMENT,
    INSTANCE,
    ROLE,
    labels_of,
)


class BuildContainers:
    def __init__(
        self,
        installation: Installation,
        engine: Engine,
        networks: Networks,
        network: BuildNetwork,
        directory: BuildDirectory,
    ) -> None:
        self._installation = installation
        self._engine = engine
        self._networks = networks
        self._network = network
        self._directory = directory

    def phases(self, order: BuildOrder) -> Phases:
        """Return the phases of a build by Buildpacks."""
        names, confine = self._installation.names, self._network.confine
        return Phases(self._engine, self._networks, names, order, confine)

    def buildkit(self, order: DockerfileOrder) -> BuildKit:
        """Return a BuildKit build of a Dockerfile."""
        names, confine = self._installation.names, self._network.confine
        return BuildKit(self._engine, self._networks, names, order, confine)

    @property
    def network_name(self) -> str:
        return self._network.name

    async def api_version(self) -> str:
        """Return the engine's API version."""
        return await self._engine.api_version()

    def labels(self, release: Release) -> dict[str, str]:
        """Return the labels of everything that belongs to a release's build."""
        return labels_of(self._installation.instance, release)

    async def running(self) -> set[tuple[str, str]]:
        """Return application and deployment ids of the builds that have a running container."""
        found = await self._engine.containers({**self._own, ROLE: BUILD_ROLE})
        return {(one.labels[APPLICATION], one.labels[DEPLOYMENT]) for one in found if one.running}

    async def seconds(self, release: Release) -> float:
        """Return how many seconds a release's build has run so far, over all attempts."""
        now = datetime.now(UTC)
        found = await self._engine.containers({**self.labels(release), ROLE: BUILD_ROLE})
        return sum(one.seconds(now) for one in found)

    async def end_others(self, release: Release) -> None:
        """Remove containers of the application's other builds, left running by a worker that died.

        Callers hold the lock of the application's builds: all of them share one cache.
        """
        wanted = {**self._own, APPLICATION: release.application, ROLE: BUILD_ROLE}
        for one in await self._engine.containers(wanted):
            if one.labels[DEPLOYMENT] != release.deployment:
                await self._engine.remove(one.name)

    async def deployments(self) -> set[str]:
        """Return the deployments whose builds left a directory or a volume."""
        volumes = await self._networks.volumes({ROLE: BUILD_ROLE})
        left = {labels[DEPLOYMENT] for labels in volumes if DEPLOYMENT in labels}
        return left | await self._directory.deployments()

    async def discard(self, deployment_id: str) -> None:
        """Kill and remove everything that belongs to one deployment's build."""
        wanted: Mapping[str, str] = {**self._own, DEPLOYMENT: deployment_id, ROLE: BUILD_ROLE}
        containers = await self._engine.containers(wanted)
        await gather_all(self._engine.remove(one.name) for one in containers)
        await self._networks.remove_volumes(wanted)
        await self._directory.remove(deployment_id)

    async def remove_application(self, application_id: str) -> None:
        """Remove the volumes of an application's builds: caches, and those that a build left."""
        await self._networks.remove_volumes({APPLICATION: application_id, ROLE: CACHE_ROLE})
        await self._networks.remove_volumes({APPLICATION: application_id, ROLE: BUILD_ROLE})

    @property
    def _own(self) -> dict[str, str]:
        return {INSTANCE: self._installation.instance}
