"""The health gate: every container is checked before anything depends on it."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from aweigh.core.text import one_line
from aweigh.deployments.application import LONGEST_GATE, HealthCheck
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.container import Container
from aweigh.engine.naming import Names
from aweigh.health.check import ProbeResult, chosen_check, deadline_of
from aweigh.health.exit_watch import ExitWatch
from aweigh.health.probe import Probe
from aweigh.images.facts import ImageFacts, exposed_port
from aweigh.secrets.value import mask
from aweigh.servers.running_step import RunningStep

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5
#: How often a container's state is checked while its probe fails.
_LOOK_SECONDS: Final = 0.25
_SHOWN_WIDTH: Final = 160


@dataclass(frozen=True)
class _Question:
    """The check of all containers of a release, with a deadline in seconds."""

    check: HealthCheck
    port: int | None
    deadline: int
    step: RunningStep


class HealthGate:
    """Waits until containers are healthy, or reports why they are not."""

    def __init__(self, exits: ExitWatch, probe: Probe, names: Names) -> None:
        self._exits = exits
        self._probe = probe
        self._names = names

    async def pass_all(
        self, step: RunningStep, image: ImageFacts, containers: list[Container]
    ) -> str:
        """Wait for all containers of a release; return a description of the check that passed.

        Raises:
            StepFailed: `unhealthy` or `start_failed`, with the last result.
        """
        settings = step.release.settings
        port = exposed_port(settings, image)
        check = chosen_check(settings, image, port)
        question = _Question(check, check.port or port, deadline_of(check, image), step)
        _refuse_impossible(question, containers)
        waiting = [asyncio.create_task(self._pass(one, question)) for one in containers]
        try:
            seen = await asyncio.gather(*waiting)
        finally:
            for task in waiting:
                task.cancel()
        replicas = f" ({len(seen)} replicas)" if len(seen) > 1 else ""
        return f"{check.type}: {seen[0]}{replicas}"

    async def _pass(self, container: Container, question: _Question) -> str:
        check, step, started = question.check, question.step, time.monotonic()
        pause, looked = _FIRST_PAUSE, 0.0
        while True:
            if time.monotonic() - looked > _LOOK_SECONDS or check.type in ("image", "uptime"):
                container = await self._exits.still_running(container, step)
                looked = time.monotonic()
            container, seen = await self._ask_while_running(
                container, question, time.monotonic() - started
            )
            if seen.healthy:
                await self._exits.still_running(container, step)
                return seen.what
            if time.monotonic() - started > question.deadline:
                await self._exits.log_last_lines(container, step)
                raise StepFailed(
                    Reason.UNHEALTHY,
                    f"{container.name} was not healthy within {question.deadline} s: {seen.what}. "
                    "Its last lines are in the deployment's log. If it needs longer to start, set "
                    f"`health_check.deadline` (at most {LONGEST_GATE} s).",
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    async def _ask_while_running(
        self, container: Container, question: _Question, seconds: float
    ) -> tuple[Container, ProbeResult]:
        """Probe a container, stopping if it exits: its address would never answer."""
        asking = asyncio.create_task(self._ask(container, question, seconds))
        try:
            while not (await asyncio.wait({asking}, timeout=_LOOK_SECONDS))[0]:
                container = await self._exits.still_running(container, question.step)
            return container, asking.result()
        finally:
            asking.cancel()

    async def _ask(self, container: Container, question: _Question, seconds: float) -> ProbeResult:
        check, step = question.check, question.step
        if check.type == "image":
            output = one_line(mask(container.health_output, step.secrets), _SHOWN_WIDTH)
            what = f"HEALTHCHECK is {container.health} {output}".rstrip()
            return ProbeResult(container.health == "healthy", what)
        if check.type == "uptime":
            return ProbeResult(seconds >= check.seconds, f"up for {seconds:.0f} s")
        address = self._names.own_address(container.addresses)
        if check.type == "tcp":
            return await self._probe.tcp(address, question.port or 0)
        domains = step.release.settings.domains
        host = domains[0].host if domains else address
        return await self._probe.http(address, question.port or 0, host, check)


def _refuse_impossible(question: _Question, containers: list[Container]) -> None:
    check = question.check
    if check.type in ("http", "tcp") and question.port is None:
        raise StepFailed(
            Reason.UNHEALTHY,
            f"The {check.type} health check needs a port; set the application's `port`.",
        )
    if check.type == "image" and not all(one.health for one in containers):
        raise StepFailed(
            Reason.UNHEALTHY, "The image has no HEALTHCHECK; set another `health_check`."
        )
