"""Verifies that a switch took effect: the new generation answers."""

import asyncio
import contextlib
import time
from typing import Final

from aweigh.deployments.deployment import Reason
from aweigh.deployments.release import Release
from aweigh.deployments.step_errors import (
    StepFailed,
    StepUnavailable,
)
from aweigh.engine.container import Container
from aweigh.engine.naming import Names
from aweigh.engine.own_containers import OwnContainers
from aweigh.health.probe import Probe
from aweigh.routing.proxy_view import ProxyView
from aweigh.routing.route import Generation, proxy_checks_health

#: How long a responding proxy may contradict the route file before the switch is taken back.
_VERIFY_SECONDS: Final = 10.0
#: How long one attempt waits for a proxy that does not answer.
_SILENCE_SECONDS: Final = 60.0
_POLL: Final = 0.02
#: Longer than the interval of the health check in the route file.
_HEALTH_INTERVAL_SECONDS: Final = 1.5


class Verification:
    def __init__(
        self, view: ProxyView, containers: OwnContainers, probe: Probe, names: Names
    ) -> None:
        self._view = view
        self._containers = containers
        self._probe = probe
        self._names = names

    async def see_answer(self, release: Release, generation: Generation) -> str:
        """Wait until the generation answers; return how it did, for people.

        Raises:
            StepFailed: `verify_failed`: the proxy answers but does not serve the generation.
            StepUnavailable: the proxy does not answer, which proves nothing.
        """
        if release.settings.domains:
            return await self._through_the_proxy(release, generation)
        return await self._without_proxy(release)

    async def _through_the_proxy(self, release: Release, generation: Generation) -> str:
        # If Traefik checks health itself, its first check must not take the servers out again.
        checked = proxy_checks_health(generation, release.settings.health_check)
        settle = _HEALTH_INTERVAL_SECONDS if checked else 0.0
        answering = good = 0.0
        began = last = time.monotonic()
        while True:
            wrong = await self._view.wrong_with(release, generation)
            now = time.monotonic()
            good = good + now - last if wrong == "" else 0.0
            if wrong == "" and good >= settle:
                return f"the proxy answers with generation {generation.sequence}"
            if wrong:
                answering += now - last
            last = now
            if answering > _VERIFY_SECONDS:
                raise StepFailed(
                    Reason.VERIFY_FAILED, f"The proxy does not serve the new release: {wrong}."
                )
            if now - began > _SILENCE_SECONDS:
                # A silent proxy proves nothing, so the switch is not taken back.
                raise StepUnavailable(Reason.VERIFY_FAILED, "The proxy does not answer.")
            await asyncio.sleep(_POLL)

    async def _without_proxy(self, release: Release) -> str:
        found = await self._containers.replicas(release.application, release.sequence)
        for one in found:
            if not one.running:
                raise StepFailed(Reason.VERIFY_FAILED, f"{one.name} is {one.status}.")
        for port in release.settings.ports:
            if port.protocol == "tcp" and not await self._listens(found[0], port.container):
                raise StepFailed(
                    Reason.VERIFY_FAILED,
                    f"Nothing listens on container port {port.container}, to which host port "
                    f"{port.host} is published.",
                )
        return f"{len(found)} running"

    async def _listens(self, container: Container, port: int) -> bool:
        """Connect directly: the engine's forwarder for published ports accepts every connection."""
        address = self._names.own_address(container.addresses)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_VERIFY_SECONDS):
                while not (await self._probe.tcp(address, port)).healthy:
                    await asyncio.sleep(_POLL)
                return True
        return False
