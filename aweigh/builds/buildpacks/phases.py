"""Runs the phases of a build one after the other, each in its own container.

All containers and volumes have fixed names, so after the death of a worker the next one finds them:
it skips finished phases, waits for the running one, and continues to read its output.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aweigh.builds.buildpacks.builder import (
    ANALYSIS,
    METADATA,
    PLATFORM,
    PROJECT_METADATA,
    WORKSPACE,
    BuildPhase,
    processes,
    verdict,
    was_killed,
    why_no_process,
)
from aweigh.builds.buildpacks.phase_containers import BUILD_ROLE, CACHE_ROLE, BuildOrder, phase_spec
from aweigh.builds.source.files import FileOwner, files_archive, inside, tree_archive
from aweigh.containers.networks import Networks
from aweigh.core import grammar
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    BuildLost,
    StepError,
    StepFailed,
)
from aweigh.engine.container import Container
from aweigh.engine.engine import Engine
from aweigh.engine.labels import (
    APPLICATION,
    DEPLOYMENT,
    ROLE,
)
from aweigh.engine.naming import Names
from aweigh.engine.output import Tell, read_to_the_end

#: The number of lines in which a phase's error is looked for.
_LAST_LINES: Final = 5
_SHORT: Final = 12
_LONGEST_METADATA: Final = 1024**2
#: Creates a phase's container; the result is False if the container was already started.
Preparation = asyncio.Task[bool]
_VOLUMES: Final = ("app", "layers", "analysis")


class Phases:
    """One build on one engine."""

    def __init__(
        self,
        engine: Engine,
        networks: Networks,
        names: Names,
        order: BuildOrder,
        confine: Callable[[], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._networks = networks
        self._names = names
        self._order = order
        self._confine = confine

    @asynccontextmanager
    async def preparing(
        self, begun: BuildPhase, source: Path
    ) -> AsyncIterator[Mapping[BuildPhase, Preparation]]:
        """Create the containers from phase `begun` on in the background, in order.

        Creating a container takes about as long as many phases do. On exit, all creation has
        stopped.
        """
        made: dict[BuildPhase, Preparation] = {}
        before = None
        for phase in list(BuildPhase)[begun.number - 1 :]:
            before = made[phase] = asyncio.create_task(self._prepare(phase, source, before))
        try:
            yield made
        finally:
            for task in made.values():
                task.cancel()
            await asyncio.gather(*made.values(), return_exceptions=True)

    async def run(
        self, phase: BuildPhase, preparation: Preparation, after: str, tell: Tell
    ) -> None:
        """Run one phase; `after` is the position at which an earlier reader of its output stopped.

        Raises:
            StepError: the phase failed, with the reason for its exit code.
        """
        name = self._name(phase)
        if await preparation:
            await self._start(phase)
        ended = await read_to_the_end(self._engine, name, after, tell)
        if ended.exit_code:
            raise self._failed(phase, ended, await self._engine.last_lines(name, _LAST_LINES))

    async def begun(self, came_to: BuildPhase) -> BuildPhase:
        """Return the phase at which to continue after an attempt that reached `came_to`.

        The attempt may have died before that phase had a container; then the previous phase has
        one. If neither has, the build starts again.
        """
        for phase in list(BuildPhase)[max(came_to.number - 2, 0) : came_to.number]:
            if await self._engine.container(self._name(phase)):
                return came_to
        return BuildPhase.ANALYZER

    def _name(self, phase: BuildPhase) -> str:
        return self._names.build(self._order.slug, self._order.sequence, phase)

    async def _container(self, phase: BuildPhase) -> Container | None:
        """Return the phase's container.

        Raises:
            StepFailed: a container of that name belongs to another deployment.
        """
        found = await self._engine.container(self._name(phase))
        if found and found.labels.get(DEPLOYMENT) != self._order.labels[DEPLOYMENT]:
            raise StepFailed(
                Reason.INTERNAL,
                f"Container {found.name} belongs to another deployment. Retry when that one has "
                "ended.",
            )
        return found

    async def _start(self, phase: BuildPhase) -> None:
        if phase.runs_untrusted_code:
            await self._confine()
        if phase is BuildPhase.EXPORTER:
            await self._refuse_unknown_process()
        await self._engine.start(self._name(phase))

    async def _prepare(self, phase: BuildPhase, source: Path, before: Preparation | None) -> bool:
        """Create a phase's container with all its files; return False if it was already started."""
        if before:
            await before
        name, builder = self._name(phase), self._order.builder
        owner = FileOwner(builder.user, builder.group)
        if found := await self._container(phase):
            if found.status != "created":
                return False
            await self._engine.remove(name)  # its files may be incomplete
        await self._engine.create(phase_spec(self._names, self._order, phase))
        files = {
            f"{PLATFORM}/env/{grammar.build_variable_name(name)}": value
            for name, value in self._order.variables.items()
        }
        if phase is BuildPhase.ANALYZER:
            provenance = {PROJECT_METADATA: self._order.provenance}
            await self._engine.upload(name, files_archive(provenance, owner, (ANALYSIS,)))
        if phase is BuildPhase.DETECTOR:
            directory = inside(source, self._order.subdirectory)
            takes = self._order.project.selection
            with await in_thread(
                lambda: tree_archive(directory, WORKSPACE, owner, takes, files)
            ) as archive:
                await self._engine.upload(name, archive)
        if phase is BuildPhase.BUILDER:
            await self._engine.upload(name, files_archive(files, owner))
        return True

    async def _refuse_unknown_process(self) -> None:
        """Reject an undefined process before minutes are spent on exporting an image.

        Raises:
            StepFailed: the build did not define the wanted process.
        """
        order = self._order
        try:
            builder = self._name(BuildPhase.BUILDER)
            metadata = await self._engine.read_file(builder, METADATA, _LONGEST_METADATA)
            defined = processes((metadata or b"").decode())
        except ValueError:
            return  # the exporter reads the file too, and reports what is wrong
        if metadata and (why := why_no_process(order.process, defined)):
            raise StepFailed(Reason.BUILD_FAILED, why)

    def _failed(self, phase: BuildPhase, ended: Container, last_lines: str) -> StepError:
        # On a busy machine, the engine misses about one out-of-memory kill in twenty.
        if ended.out_of_memory or was_killed(last_lines):
            return StepFailed(
                Reason.OUT_OF_MEMORY,
                f"The {phase} exceeded the build's memory limit; raise `build.limits.memory`.",
            )
        said, order = verdict(phase, ended.exit_code), self._order
        kind = StepFailed if said.final else BuildLost
        return kind(
            said.reason,
            f"{said.message}. The commit is {order.commit[:_SHORT]} of {order.repository}; the "
            "last lines are in the deployment's log and in its `build` step.",
        )

    async def ensure_volumes_and_network(self) -> None:
        """Create the build's network and volumes, and the application's caches, if absent."""
        order = self._order
        await self._networks.ensure_build_network(order.network)
        for what in _VOLUMES:
            name = self._names.build_volume(order.slug, order.sequence, what)
            await self._networks.ensure_volume(name, {**order.labels, ROLE: BUILD_ROLE})
        for what in ("build", "launch"):
            labels = {APPLICATION: order.labels[APPLICATION], ROLE: CACHE_ROLE}
            await self._networks.ensure_volume(self._names.cache(order.slug, what), labels)
