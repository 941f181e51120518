"""The health gate: every image is asked from outside before anything depends on it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from activities.platform import foreign_program
from activities.step import OpenStep
from aweigh.containers.health import Seen, deadline_of
from aweigh.core.errors import StepFailed
from aweigh.core.text import one_line
from aweigh.deployments.application import LONGEST_GATE, HealthCheck
from aweigh.deployments.deployment import Reason
from aweigh.secrets.value import mask, mask_lines

if TYPE_CHECKING:
    from aweigh.containers.engine import Container
    from aweigh.images.facts import ImageFacts
    from aweigh.servers.server import Server

#: What the engine says of a container that does not run (any more).
_OVER: Final = ("exited", "dead", "restarting")
#: Of a program that was sent SIGKILL (128 + 9).
_KILLED: Final = 137
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5
#: How often a container is looked at while its probe is answered with failures.
_LOOK_SECONDS: Final = 0.25
_LAST_LINES: Final = 20
#: Looked at for a secret that was begun before.
_LINES_BEFORE: Final = 200
_SHOWN_LINES: Final = 10
_SHOWN_WIDTH: Final = 160
#: How long the code of an exit is waited for when the engine has run the container again already.
_NEXT_EXIT_SECONDS: Final = 3.0


class Gate:
    """Waits until containers are healthy, or says why they are not."""

    def __init__(
        self,
        server: Server,
        opened: OpenStep,
        check: HealthCheck,
        port: int | None,
        image: ImageFacts,
    ) -> None:
        self._server = server
        self._opened = opened
        self._check = check
        self._port = check.port or port
        self._deadline = deadline_of(check, image)
        self._secrets = opened.secrets

    async def pass_all(self, containers: list[Container]) -> str:
        """The gate that was passed, in words.

        Raises:
            StepFailed: `unhealthy` or `start_failed`, with what was seen.
        """
        if self._check.type in ("http", "tcp") and self._port is None:
            raise StepFailed(
                Reason.UNHEALTHY,
                f"The {self._check.type} health check needs a port; set the application's `port`.",
            )
        if self._check.type == "image" and not all(one.health for one in containers):
            raise StepFailed(
                Reason.UNHEALTHY, "The image has no HEALTHCHECK; set another `health_check`."
            )
        waiting = [asyncio.create_task(self._pass(one)) for one in containers]
        try:
            seen = await asyncio.gather(*waiting)
        finally:
            for task in waiting:
                task.cancel()
        replicas = f" ({len(seen)} replicas)" if len(seen) > 1 else ""
        return f"{self._check.type}: {seen[0]}{replicas}"

    async def _pass(self, container: Container) -> str:
        started = time.monotonic()
        pause, looked, seen = _FIRST_PAUSE, 0.0, "nothing was seen yet"
        while True:
            if time.monotonic() - looked > _LOOK_SECONDS or self._check.type in ("image", "uptime"):
                container = await self._alive(container)
                looked = time.monotonic()
            container, answer = await self._asked(container, time.monotonic() - started)
            seen = answer.what
            if answer.healthy:
                await self._alive(container)
                return seen
            if time.monotonic() - started > self._deadline:
                await self._tell_last_lines(container)
                raise StepFailed(
                    Reason.UNHEALTHY,
                    f"{container.name} was not healthy within {self._deadline} s: {seen}. "
                    "Its last lines are in the deployment's log. If it needs longer to start, set "
                    f"`health_check.deadline` (at most {LONGEST_GATE} s).",
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    async def _asked(self, container: Container, seconds: float) -> tuple[Container, Seen]:
        """What the probe sees; the address of a container that exits meanwhile never answers."""
        asking = asyncio.create_task(self._ask(container, seconds))
        try:
            while not (await asyncio.wait({asking}, timeout=_LOOK_SECONDS))[0]:
                container = await self._alive(container)
            return container, asking.result()
        finally:
            asking.cancel()

    async def _ask(self, container: Container, seconds: float) -> Seen:
        if self._check.type == "image":
            output = one_line(mask(container.health_output, self._secrets), _SHOWN_WIDTH)
            what = f"HEALTHCHECK is {container.health} {output}".rstrip()
            return Seen(container.health == "healthy", what)
        if self._check.type == "uptime":
            return Seen(seconds >= self._check.seconds, f"up for {seconds:.0f} s")
        address = self._server.address_of(container)
        if self._check.type == "tcp":
            return await self._server.probe.tcp(address, self._port or 0)
        domains = self._opened.release.settings.domains
        host = domains[0].host if domains else address
        return await self._server.probe.http(address, self._port or 0, host, self._check)

    async def _alive(self, container: Container) -> Container:
        """The container now; one that has exited fails the gate at once."""
        now = await self._server.engine.container(container.name)
        if now is None:
            raise StepFailed(Reason.START_FAILED, f"{container.name} was removed by somebody.")
        if now.status in _OVER or now.restarts > container.restarts:
            now = await self._exit_of(now)
            lines = await self._tell_last_lines(now)
            image = self._opened.release.image.reference
            raise foreign_program(self._server, lines, image=image) or StepFailed(
                Reason.START_FAILED,
                f"{now.name} {self._how_it_ended(now)} before it was healthy. "
                "Its last lines are in the deployment's log.",
            )
        return now

    async def _exit_of(self, container: Container) -> Container:
        """The container once it is over again: while it runs, the engine forgets how it ended."""
        deadline = time.monotonic() + _NEXT_EXIT_SECONDS
        while container.status not in _OVER and time.monotonic() < deadline:
            await asyncio.sleep(_FIRST_PAUSE)
            container = await self._server.engine.container(container.name) or container
        return container

    def _how_it_ended(self, container: Container) -> str:
        if container.status not in _OVER:
            return "ended and was started again by the engine"
        ended = f"exited with code {container.exit_code}"
        limit = self._opened.release.settings.resources.memory
        within = f"its limit of {limit}" if limit else "the server's memory"
        if container.out_of_memory:
            return f"{ended} (out of memory: it went over {within})"
        if container.exit_code == _KILLED:  # the engine does not always hear why
            return f"{ended} (killed, most likely out of memory: it went over {within})"
        return ended

    async def _tell_last_lines(self, container: Container) -> str:
        lines = await self._server.engine.last_lines(container.name, _LINES_BEFORE + _LAST_LINES)
        shown = mask_lines(lines.splitlines(), self._secrets)[-_LAST_LINES:]
        told = "\n".join(shown) or "(it wrote nothing)"
        self._opened.log(f"last lines of {container.name}:\n{told}")
        shown = shown[-_SHOWN_LINES:]
        self._opened.evidence = "\n".join(one_line(line, _SHOWN_WIDTH) for line in shown)
        return lines
