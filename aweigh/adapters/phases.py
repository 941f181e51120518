"""The phases of a build, run one after the other in containers of their own.

Everything they make has a name of its own, so a build whose worker died is found again: phases that
ended are not run again, one that still runs is waited for, and its output read on.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import docker

from aweigh.adapters.engine import Container, Engine
from aweigh.adapters.networks import Networks
from aweigh.adapters.output import Line, Output
from aweigh.adapters.sources import application_archive, environment_archive, inside
from aweigh.domain.buildpacks import Phase, verdict, was_killed
from aweigh.domain.container import APPLICATION, DEPLOYMENT, ROLE
from aweigh.domain.deployment import Reason
from aweigh.domain.errors import BuildLost, StepError, StepFailed
from aweigh.domain.naming import Names
from aweigh.domain.phase import BUILD_ROLE, CACHE_ROLE, BuildOrder, phase_spec

#: What reads a phase's output: called with each batch, and asked where the last one ended.
Tell = Callable[[list[Line]], None]
#: Among which a phase says why it failed.
_LAST_LINES: Final = 5
_VOLUMES: Final = ("app", "layers")


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

    async def run(self, phase: Phase, source: Path, after: str, tell: Tell) -> None:
        """Have one phase done; `after` is where an earlier reader of its output stopped.

        Raises:
            StepError: it failed, with the reason its exit code stands for.
        """
        name = self._names.build(self._order.slug, self._order.sequence, phase)
        found = await self._engine.container(name)
        if found and found.labels.get(DEPLOYMENT) != self._order.labels[DEPLOYMENT]:
            raise StepFailed(Reason.INTERNAL, f"The container {name} is another deployment's.")
        if found is None or found.status == "created":
            await self._start(phase, name, source)
        ended = await self._read_to_the_end(name, after, tell)
        if ended.exit_code:
            raise _failed(phase, ended, await self._engine.last_lines(name, _LAST_LINES))

    async def has(self, phase: Phase) -> bool:
        """Whether an earlier attempt came as far as to this phase."""
        return await self._container(phase) is not None

    async def seconds(self) -> float:
        """For how long its phases have run so far, whoever was there to see it."""
        found = [await self._container(phase) for phase in Phase]
        now = datetime.now(UTC)
        return sum(one.seconds(now) for one in found if one)

    async def _container(self, phase: Phase) -> Container | None:
        return await self._engine.container(
            self._names.build(self._order.slug, self._order.sequence, phase)
        )

    async def _start(self, phase: Phase, name: str, source: Path) -> None:
        await self._engine.remove(name)  # one that was made, and perhaps not given all its files
        await self._engine.create(phase_spec(self._names, self._order, phase))
        builder = self._order.builder
        if phase is Phase.DETECTOR:
            directory = inside(source, self._order.subdirectory)
            with application_archive(directory, builder) as archive:
                await self._upload(name, archive)
        if phase.runs_guests:
            await self._confine()
            await self._upload(name, environment_archive(self._order.env, builder))
        await self._engine.start(name)

    async def _upload(self, name: str, archive: IO[bytes]) -> None:
        def uploaded(c: docker.APIClient) -> None:
            c.put_archive(name, "/", archive)

        await self._engine.call(f"copy files into {name}", uploaded)

    async def _read_to_the_end(self, name: str, after: str, tell: Tell) -> Container:
        while True:
            # Looked at first: only what is read of one that had ended by then is all of it.
            found = await self._engine.container(name)
            async for batch in Output(self._engine, name).lines(after):
                tell(batch)
                after = batch[-1].at
            if found is None:
                raise BuildLost(Reason.BUILD_FAILED, f"{name} was removed by somebody.")
            if not found.running:
                return found

    async def ensure_surroundings(self) -> None:
        """Have the build's network and volumes, and the application's caches."""
        order = self._order
        await self._networks.ensure_build_network(order.network)
        for what in _VOLUMES:
            name = self._names.build_volume(order.slug, order.sequence, what)
            await self._networks.ensure_volume(name, {**order.labels, ROLE: BUILD_ROLE})
        for what in ("build", "launch"):
            labels = {APPLICATION: order.labels[APPLICATION], ROLE: CACHE_ROLE}
            await self._networks.ensure_volume(self._names.cache(order.slug, what), labels)


def _failed(phase: Phase, ended: Container, said: str) -> StepError:
    # One time in twenty, on a busy machine, the engine does not hear of it before the end.
    if ended.out_of_memory or was_killed(said):
        return StepFailed(
            Reason.OUT_OF_MEMORY,
            f"The {phase} took more memory than the build may; raise `build.limits.memory`.",
        )
    said = verdict(phase, ended.exit_code)
    kind = StepFailed if said.final else BuildLost
    return kind(said.reason, f"{said.message}. The last lines are in the deployment's log.")
