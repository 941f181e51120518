"""The release command: runs once in the new image, before the switch."""

import asyncio
from datetime import UTC, datetime
from typing import Final

from aweigh.containers.prerequisites import Prerequisites
from aweigh.containers.replicas import Replicas, foreign_container
from aweigh.containers.spec import release_command_spec
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.container import Container
from aweigh.engine.engine import Engine
from aweigh.engine.installation import Installation
from aweigh.engine.labels import (
    DEPLOYMENT,
    INSTANCE,
)
from aweigh.images.facts import ImageFacts
from aweigh.images.server_platforms import ServerPlatforms
from aweigh.servers.running_step import RunningStep

#: Less than the timeout of the step.
_LONGEST_SECONDS: Final = 55 * 60
_LOG_LINES: Final = 1000


class ReleaseCommand:
    """Runs release commands. Callers hold the application's lock."""

    def __init__(
        self,
        installation: Installation,
        engine: Engine,
        replicas: Replicas,
        prerequisites: Prerequisites,
        platforms: ServerPlatforms,
    ) -> None:
        self._installation = installation
        self._engine = engine
        self._replicas = replicas
        self._prerequisites = prerequisites
        self._platforms = platforms

    async def run(self, step: RunningStep, image: ImageFacts) -> None:
        """Run the command to its end, continuing one that an earlier attempt started.

        Raises:
            StepFailed: it cannot be started, takes too long, or exits with a code other than 0.
        """
        name = await self._start(step, image)
        ended = await self._end_of(name, step)
        if ended is None:
            raise StepFailed(
                Reason.RELEASE_COMMAND_FAILED, f"{name} was removed by another program."
            )
        lines = await self._engine.last_lines(name, _LOG_LINES)
        step.log(lines)
        step.detail = f"exit code {ended.exit_code}"
        if ended.exit_code:
            reference = step.release.image.reference
            raise self._platforms.foreign_program(lines, image=reference) or StepFailed(
                Reason.RELEASE_COMMAND_FAILED,
                f"The release command exited with code {ended.exit_code}. Its output is in the "
                "deployment's log. Nothing was switched.",
            )

    async def _end_of(self, name: str, step: RunningStep) -> Container | None:
        """Wait for the end. Raises: StepFailed: it exceeds its time, counted over all attempts."""
        begun = await self._engine.container(name)
        left = _LONGEST_SECONDS - (begun.seconds(datetime.now(UTC)) if begun else 0)
        try:
            async with asyncio.timeout(max(left, 0)):
                return await self._engine.ended(name)
        except TimeoutError as error:
            step.log(await self._engine.last_lines(name, _LOG_LINES))
            raise StepFailed(
                Reason.TIMED_OUT,
                f"The release command exceeded its limit of {_LONGEST_SECONDS // 60} min and was "
                "stopped. Nothing was switched. Shorten it, or run the long part outside the "
                "deployment.",
            ) from error

    async def _start(self, step: RunningStep, image: ImageFacts) -> str:
        """Start the container unless an earlier attempt did, and return its name.

        Raises:
            StepFailed: it cannot be started, or the name belongs to another installation.
        """
        release, engine = step.release, self._engine
        spec = release_command_spec(
            instance=self._installation.instance,
            names=self._installation.names,
            release=release,
            image=image,
        )
        found = await engine.container(spec.name)
        if found and found.labels.get(INSTANCE) != self._installation.instance:
            raise foreign_container(spec.name)
        mine = found and found.labels.get(DEPLOYMENT) == release.deployment
        if found and mine and found.status != "created":
            return spec.name
        # A worker died between create and start; or the database, restored from a backup, knows
        # nothing of the deployment that the container belongs to.
        if found:
            await engine.remove(spec.name)
        await self._replicas.stop_previous_writers(release, image)
        async with self._prerequisites.ensured(release, image) as prepared:
            await prepared.create(spec)
            try:
                await prepared.start(spec)
            except StepFailed as error:
                raise StepFailed(
                    Reason.RELEASE_COMMAND_FAILED,
                    f"The release command could not be started: {error.message.rstrip('.')}. "
                    "Nothing was switched.",
                ) from error
        return spec.name
