"""Where builds happen on a server: their directories, their key, what they may take."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from aweigh.builds.buildpacks.containers import BUILD_ROLE, CACHE_ROLE, BuildOrder
from aweigh.builds.buildpacks.phases import Phases
from aweigh.builds.dockerfile.buildkit import BuildKit
from aweigh.builds.dockerfile.container import DockerfileOrder
from aweigh.builds.firewall import Firewall
from aweigh.builds.project_file import Project
from aweigh.builds.source.clone import Clone
from aweigh.builds.source.files import dockerfile_of, inside, project_of
from aweigh.builds.source.git import Git, Tell
from aweigh.builds.source.history import History
from aweigh.containers.engine import Engine
from aweigh.containers.naming import Names
from aweigh.containers.networks import Networks
from aweigh.containers.packet_filter import CannotConfine
from aweigh.containers.spec import APPLICATION, DEPLOYMENT, INSTANCE, ROLE
from aweigh.core import grammar
from aweigh.core.errors import StepFailed
from aweigh.core.files import write_durably
from aweigh.core.tasks import together
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason

_KEY_BYTES: Final = 32
_SHARE_OF_MEMORY: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """One server's place for builds."""

    directory: Path
    git: Git
    engine: Engine
    networks: Networks
    names: Names
    firewall: Firewall
    buildkit_image: str
    #: Of builders whose repository matches none of these, only what has no engine is run.
    trusted_builders: tuple[str, ...]
    lifecycle_image: str
    #: Builds go on where the firewall cannot be had.
    open_network: bool
    #: How much a deployment's log takes of what is printed.
    log_bytes: int
    #: How long what was pulled for builds stays without one.
    keep_unused: timedelta
    #: The engine's own, which the phases that write images are given.
    socket: Path

    def place(self, deployment_id: str) -> Path:
        """The directory of one deployment's clone and notes."""
        return self.directory / grammar.path_part(deployment_id)

    async def clear(self, place: Path) -> None:
        """Remove a directory, whatever a repository's files are like."""
        await in_thread(lambda: shutil.rmtree(place, ignore_errors=True))

    def clone(self, place: Path, tell: Tell) -> Clone:
        """Makes a clone in a deployment's directory."""
        return Clone(self.git.targets, place, tell)

    def history(self, place: Path) -> History:
        return History(self.git.targets, place)

    async def project(self, clone: Path, subdirectory: str) -> Project:
        """What the `project.toml` of the directory that is built says.

        Raises:
            StepFailed: it cannot be understood.
        """
        return await in_thread(lambda: project_of(inside(clone, subdirectory)))

    async def refuse_without(self, clone: Path, subdirectory: str, dockerfile: str) -> None:
        """Raises: StepFailed: there is no such Dockerfile; said before a BuildKit is pulled."""
        await in_thread(lambda: dockerfile_of(inside(clone, subdirectory), dockerfile))

    def phases(self, order: BuildOrder) -> Phases:
        return Phases(self.engine, self.networks, self.names, order, self.confine)

    def buildkit(self, order: DockerfileOrder) -> BuildKit:
        return BuildKit(self.engine, self.networks, self.names, order, self.confine)

    async def forget(self, application_id: str) -> None:
        """Remove an application's caches, with everything of builds that is left of it."""
        await self.networks.remove_volumes({APPLICATION: application_id, ROLE: CACHE_ROLE})
        await self.networks.remove_volumes({APPLICATION: application_id, ROLE: BUILD_ROLE})

    async def end_others(self, labels: Mapping[str, str]) -> None:
        """Remove what a worker that died left running of other builds of the application.

        For whoever holds the lock of its builds: two would share one cache.
        """
        wanted = {APPLICATION: labels[APPLICATION], ROLE: BUILD_ROLE, INSTANCE: labels[INSTANCE]}
        for one in await self.engine.containers(wanted):
            if one.labels[DEPLOYMENT] != labels[DEPLOYMENT]:
                await self.engine.remove(one.name)

    async def running(self, instance: str) -> set[tuple[str, str]]:
        """The applications and deployments of whose builds something runs."""
        found = await self.engine.containers({INSTANCE: instance, ROLE: BUILD_ROLE})
        return {(one.labels[APPLICATION], one.labels[DEPLOYMENT]) for one in found if one.running}

    async def seconds(self, labels: Mapping[str, str]) -> float:
        """For how long a deployment's build has run so far, whoever was there to see it."""
        now = datetime.now(UTC)
        found = await self.engine.containers({**labels, ROLE: BUILD_ROLE})
        return sum(one.seconds(now) for one in found)

    async def discard(self, labels: Mapping[str, str]) -> None:
        """Kill and remove everything of one deployment's build; it is gone afterwards."""
        wanted = {**labels, ROLE: BUILD_ROLE}
        containers = await self.engine.containers(wanted)
        await together(self.engine.remove(one.name) for one in containers)
        await self.networks.remove_volumes(wanted)
        await self.clear(self.place(labels[DEPLOYMENT]))

    async def confine(self) -> None:
        """Keep what is built from this server's own services and networks.

        Raises:
            StepFailed: it cannot be kept from them.
        """
        await self.networks.ensure_build_network(self.names.build_network)
        try:
            await self.firewall.ensure()
        except CannotConfine as error:
            if not self.open_network:
                raise StepFailed(
                    Reason.BUILD_FAILED,
                    "What is built could reach this server's own services and networks, and cannot "
                    f"be kept from them: {error}. AWEIGH_ALLOW_OPEN_BUILD_NETWORK=true of the "
                    "server worker builds all the same.",
                ) from error

    def prepare(self) -> None:
        """Make the directory, and the key without which nobody can guess a content key."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if not self._secret_file.exists():
            write_durably(self._secret_file, os.urandom(_KEY_BYTES).hex())

    @property
    def _secret_file(self) -> Path:
        return self.directory / "content-key"

    @property
    def content_secret(self) -> bytes:
        return bytes.fromhex(self._secret_file.read_text())

    async def deployments(self) -> set[str]:
        """Of whose builds something is here: a directory, or a volume without one."""
        volumes = await self.networks.volumes({ROLE: BUILD_ROLE})
        here = await in_thread(lambda: list(self.directory.iterdir()))
        places = {path.name for path in here if path.is_dir()}
        return places | {labels[DEPLOYMENT] for labels in volumes if DEPLOYMENT in labels}

    async def discard_leavings(self, instance: str, deployment_id: str) -> None:
        """Remove what is left of the build of a deployment that has ended."""
        await self.discard({INSTANCE: instance, DEPLOYMENT: deployment_id})

    @property
    def cpus(self) -> float:
        """One is left for everything else, where there are two."""
        return float(max((os.cpu_count() or 1) - 1, 1))

    @property
    def memory_bytes(self) -> int:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return int(total * _SHARE_OF_MEMORY)
