"""The phases of a build, run one after the other in containers of their own.

Everything they make has a name of its own, so a build whose worker died is found again: phases that
ended are not run again, one that still runs is waited for, and its output read on.
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
    Phase,
    processes,
    verdict,
    was_killed,
    why_no_process,
)
from aweigh.builds.buildpacks.containers import BUILD_ROLE, CACHE_ROLE, BuildOrder, phase_spec
from aweigh.builds.source.files import Owner, files_archive, inside, tree_archive
from aweigh.containers.engine import Container, Engine
from aweigh.containers.naming import Names
from aweigh.containers.networks import Networks
from aweigh.containers.output import Tell, read_to_the_end
from aweigh.containers.spec import APPLICATION, DEPLOYMENT, ROLE
from aweigh.core import grammar
from aweigh.core.errors import BuildLost, StepError, StepFailed
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason

#: Among which a phase says why it failed.
_LAST_LINES: Final = 5
_SHORT: Final = 12
_LONGEST_METADATA: Final = 1024**2
#: The making of a phase's container; false: there is one, and it was started.
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
        self, begun: Phase, source: Path
    ) -> AsyncIterator[Mapping[Phase, Preparation]]:
        """Have the containers from a phase on made, each after the one before, while those run:
        to make one takes as long as many a phase.

        Nothing is being made any more once this is left, whichever way.
        """
        made: dict[Phase, Preparation] = {}
        before = None
        for phase in list(Phase)[begun.number - 1 :]:
            before = made[phase] = asyncio.create_task(self._prepare(phase, source, before))
        try:
            yield made
        finally:
            for task in made.values():
                task.cancel()
            await asyncio.gather(*made.values(), return_exceptions=True)

    async def run(self, phase: Phase, preparation: Preparation, after: str, tell: Tell) -> None:
        """Have one phase done; `after` is where an earlier reader of its output stopped.

        Raises:
            StepError: it failed, with the reason its exit code stands for.
        """
        name = self._name(phase)
        if await preparation:
            await self._start(phase)
        ended = await read_to_the_end(self._engine, name, after, tell)
        if ended.exit_code:
            raise self._failed(phase, ended, await self._engine.last_lines(name, _LAST_LINES))

    async def begun(self, came_to: Phase) -> Phase:
        """Where to begin after an attempt that came to a phase: there, unless all of it is gone.

        It may have died before that phase had a container; then the phase before has one.
        """
        for phase in list(Phase)[max(came_to.number - 2, 0) : came_to.number]:
            if await self._engine.container(self._name(phase)):
                return came_to
        return Phase.ANALYZER

    def _name(self, phase: Phase) -> str:
        return self._names.build(self._order.slug, self._order.sequence, phase)

    async def _container(self, phase: Phase) -> Container | None:
        """Raises: StepFailed: there is one of that name, and it is another deployment's."""
        found = await self._engine.container(self._name(phase))
        if found and found.labels.get(DEPLOYMENT) != self._order.labels[DEPLOYMENT]:
            raise StepFailed(Reason.INTERNAL, f"The container {found.name} is another one's.")
        return found

    async def _start(self, phase: Phase) -> None:
        if phase.runs_guests:
            await self._confine()
        if phase is Phase.EXPORTER:
            await self._refuse_unknown_process()
        await self._engine.start(self._name(phase))

    async def _prepare(self, phase: Phase, source: Path, before: Preparation | None) -> bool:
        """Make the container of a phase, with all its files; false: it was started already."""
        if before:
            await before
        name, builder = self._name(phase), self._order.builder
        owner = Owner(builder.user, builder.group)
        if found := await self._container(phase):
            if found.status != "created":
                return False
            await self._engine.remove(name)  # it was made, and perhaps not given all its files
        await self._engine.create(phase_spec(self._names, self._order, phase))
        files = {
            f"{PLATFORM}/env/{grammar.build_variable_name(name)}": value
            for name, value in self._order.variables.items()
        }
        if phase is Phase.ANALYZER:
            provenance = {PROJECT_METADATA: self._order.provenance}
            await self._engine.upload(name, files_archive(provenance, owner, (ANALYSIS,)))
        if phase is Phase.DETECTOR:
            directory = inside(source, self._order.subdirectory)
            takes = self._order.project.selection
            with await in_thread(
                lambda: tree_archive(directory, WORKSPACE, owner, takes, files)
            ) as archive:
                await self._engine.upload(name, archive)
        if phase is Phase.BUILDER:
            await self._engine.upload(name, files_archive(files, owner))
        return True

    async def _refuse_unknown_process(self) -> None:
        """Before minutes of writing an image that could not run.

        Raises:
            StepFailed: the build has not defined the process that is wanted.
        """
        order = self._order
        try:
            builder = self._name(Phase.BUILDER)
            metadata = await self._engine.read_file(builder, METADATA, _LONGEST_METADATA)
            defined = processes((metadata or b"").decode())
        except ValueError:
            return  # the exporter reads it too, and says what is wrong with it
        if metadata and (why := why_no_process(order.process, defined)):
            raise StepFailed(Reason.BUILD_FAILED, why)

    def _failed(self, phase: Phase, ended: Container, last_lines: str) -> StepError:
        # One time in twenty, on a busy machine, the engine does not hear of it before the end.
        if ended.out_of_memory or was_killed(last_lines):
            return StepFailed(
                Reason.OUT_OF_MEMORY,
                f"The {phase} took more memory than the build may; raise `build.limits.memory`.",
            )
        said, order = verdict(phase, ended.exit_code), self._order
        kind = StepFailed if said.final else BuildLost
        return kind(
            said.reason,
            f"{said.message}. It was {order.commit[:_SHORT]} of {order.repository}; the last lines "
            "are in the deployment's log and its `build` step.",
        )

    async def ensure_volumes_and_network(self) -> None:
        """Have the build's network and volumes, and the application's caches."""
        order = self._order
        await self._networks.ensure_build_network(order.network)
        for what in _VOLUMES:
            name = self._names.build_volume(order.slug, order.sequence, what)
            await self._networks.ensure_volume(name, {**order.labels, ROLE: BUILD_ROLE})
        for what in ("build", "launch"):
            labels = {APPLICATION: order.labels[APPLICATION], ROLE: CACHE_ROLE}
            await self._networks.ensure_volume(self._names.cache(order.slug, what), labels)
