"""Detects containers that exit before they are healthy, and reports why."""

import asyncio
import time
from typing import Final

from aweigh.core.text import one_line
from aweigh.deployments.application import Resources
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.container import Container
from aweigh.engine.engine import Engine
from aweigh.images.server_platforms import ServerPlatforms
from aweigh.secrets.value import mask_lines
from aweigh.servers.running_step import RunningStep

#: States in which a container does not run.
_OVER: Final = ("exited", "dead", "restarting")
#: The exit code of a program killed by SIGKILL (128 + 9).
_KILLED: Final = 137
_POLL_SECONDS: Final = 0.02
#: How long to wait for the next exit if the engine has already restarted the container.
_NEXT_EXIT_SECONDS: Final = 3.0
_LAST_LINES: Final = 20
#: Searched for the beginning of a secret that ends in the last lines.
_LINES_BEFORE: Final = 200
_SHOWN_LINES: Final = 10
_SHOWN_WIDTH: Final = 160


class ExitWatch:
    def __init__(self, engine: Engine, platforms: ServerPlatforms) -> None:
        self._engine = engine
        self._platforms = platforms

    async def still_running(self, container: Container, step: RunningStep) -> Container:
        """Return the container's current state.

        Raises:
            StepFailed: the container exited or was removed; its last lines are in the log.
        """
        now = await self._engine.container(container.name)
        if now is None:
            raise StepFailed(
                Reason.START_FAILED,
                f"{container.name} was removed by another program. Find out which, then retry.",
            )
        if now.status not in _OVER and now.restarts == container.restarts:
            return now
        now = await self._exit_of(now)
        lines = await self.log_last_lines(now, step)
        reference = step.release.image.reference
        raise self._platforms.foreign_program(lines, image=reference) or StepFailed(
            Reason.START_FAILED,
            f"{now.name} {_how_it_ended(now, step.release.settings.resources)} before it was "
            "healthy. Its last lines are in the deployment's log.",
        )

    async def log_last_lines(self, container: Container, step: RunningStep) -> str:
        """Write a container's last lines to the log and attach them to the step as evidence."""
        lines = await self._engine.last_lines(container.name, _LINES_BEFORE + _LAST_LINES)
        shown = mask_lines(lines.splitlines(), step.secrets)[-_LAST_LINES:]
        written = "\n".join(shown) or "(it wrote nothing)"
        step.log(f"last lines of {container.name}:\n{written}")
        step.evidence = "\n".join(one_line(line, _SHOWN_WIDTH) for line in shown[-_SHOWN_LINES:])
        return lines

    async def _exit_of(self, container: Container) -> Container:
        """Return the container once it has stopped again: before, the engine has no exit code."""
        deadline = time.monotonic() + _NEXT_EXIT_SECONDS
        while container.status not in _OVER and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
            container = await self._engine.container(container.name) or container
        return container


def _how_it_ended(container: Container, resources: Resources) -> str:
    if container.status not in _OVER:
        return "exited and was restarted by the engine"
    ended = f"exited with code {container.exit_code}"
    limit = resources.memory
    within = f"its limit of {limit}" if limit else "the server's memory"
    if container.out_of_memory:
        return f"{ended} (out of memory: it exceeded {within})"
    if container.exit_code == _KILLED:  # the engine does not always report the reason
        return f"{ended} (killed, most likely out of memory: it exceeded {within})"
    return ended
