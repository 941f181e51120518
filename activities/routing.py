"""The swap: commit, verify through the proxy, drain."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.draining import drained, take_back
from activities.inputs import StepInput, StepResult
from activities.proxy_view import proxys_view
from activities.release_image import present_image
from activities.replicas import Replicas, generation_of, older_replicas, replicas_of
from activities.step import OpenStep, Steps
from aweigh.core.errors import StepFailed, StepUnavailable
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason, StepName
from aweigh.routing.route import proxy_checks_health, render

if TYPE_CHECKING:
    from aweigh.containers.engine import Container
    from aweigh.routing.route import Generation
    from aweigh.routing.route_files import Commit
    from aweigh.servers.server import Server

#: How long the proxy, while it answers, may say otherwise before the commit is taken back.
_VERIFY_SECONDS: Final = 10.0
#: How long a proxy that does not answer is waited for within one attempt.
_SILENCE_SECONDS: Final = 60.0
_POLL: Final = 0.02
#: Longer than the interval of the health check in the file.
_HEALTH_INTERVAL_SECONDS: Final = 1.5


class RoutingActivities:
    def __init__(self, server: Server, steps: Steps) -> None:
        self._server = server
        self._steps = steps

    @activity.defn(name="switch")
    async def switch(self, step: StepInput) -> StepResult:
        """Make the new generation live and see it answer: the point of no return."""
        async with self._steps.open(StepName.SWITCH, step) as opened:
            release, server = opened.release, self._server
            async with server.locks.holding(release.application):
                await server.let_through(release)
                generation = await self._generation(opened)
                commit = await self._commit(opened, generation)
                await self._verify(opened, commit)
                await server.verify(commit)
            opened.log(f"live: generation {release.sequence}; {opened.detail}")
            return StepResult(opened.detail)

    async def _generation(self, opened: OpenStep) -> Generation:
        """The containers as they run.

        Raises:
            Gone: an earlier step has to make them, or their image, again.
        """
        release, server = opened.release, self._server
        image = await present_image(server, opened)
        running = await Replicas(server, release, image).running()
        return generation_of(server, release, image, running)

    async def _commit(self, opened: OpenStep, generation: Generation) -> Commit:
        settings = opened.release.settings
        text = render(generation, settings, self._server.routing)
        routed = bool(settings.domains)
        if routed:
            await self._server.require_proxy()
        commits = self._server.commits
        return await in_thread(lambda: commits.commit(generation, text, routed=routed))

    async def _verify(self, opened: OpenStep, commit: Commit) -> None:
        """Raises: StepFailed (`verify_failed`), the commit being taken back."""
        try:
            if opened.release.settings.domains:
                await self._verify_routed(opened, commit.generation)
            else:
                await self._verify_unrouted(opened)
        except StepFailed as error:
            if not self._server.is_verified(opened.release):
                await self._go_back(opened, commit)
                raise
            # The switch had succeeded before: from there it goes forward only.
            opened.detail = f"live before this attempt, but: {error.message}"

    async def _verify_routed(self, opened: OpenStep, generation: Generation) -> None:
        # Where Traefik checks health itself, its first look must not take everything out again.
        checked = proxy_checks_health(generation, opened.release.settings.health_check)
        settle = _HEALTH_INTERVAL_SECONDS if checked else 0.0
        answering = good = 0.0
        began = last = time.monotonic()
        while True:
            seen = await proxys_view(self._server, opened.release, generation)
            now = time.monotonic()
            good = good + now - last if seen == "" else 0.0
            if seen == "" and good >= settle:
                opened.detail = f"the proxy answers with generation {generation.sequence}"
                return
            if seen:
                answering += now - last
            last = now
            if answering > _VERIFY_SECONDS:
                raise StepFailed(
                    Reason.VERIFY_FAILED, f"The proxy does not serve the new release: {seen}."
                )
            if now - began > _SILENCE_SECONDS:
                # A silent proxy proves nothing, so nothing is taken back for it.
                raise StepUnavailable(Reason.VERIFY_FAILED, "The proxy does not answer.")
            await asyncio.sleep(_POLL)

    async def _verify_unrouted(self, opened: OpenStep) -> None:
        release = opened.release
        running = await replicas_of(self._server, release.application, release.sequence)
        for one in running:
            if not one.running:
                raise StepFailed(Reason.VERIFY_FAILED, f"{one.name} is {one.status}.")
        for port in release.settings.ports:
            if port.protocol == "tcp" and not await self._answers_on(running[0], port.container):
                raise StepFailed(
                    Reason.VERIFY_FAILED,
                    f"Nothing listens on port {port.container} of the container, which host port "
                    f"{port.host} leads to.",
                )
        opened.detail = f"{len(running)} running"

    async def _answers_on(self, one: Container, port: int) -> bool:
        """Asked directly: the engine's forwarder of a published port takes every connection."""
        address = self._server.address_of(one)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_VERIFY_SECONDS):
                while not (await self._server.probe.tcp(address, port)).healthy:
                    await asyncio.sleep(_POLL)
                return True
        return False

    async def _go_back(self, opened: OpenStep, commit: Commit) -> None:
        """Take the commit back, if what was live before can still answer."""
        release, server = opened.release, self._server
        older = await older_replicas(server, release)
        if older and not any(one.running for one in older):
            return  # `undo` starts them first
        before = await take_back(server, commit)
        opened.log(f"taken back; live is {before.sequence if before else 'nothing'}")

    @activity.defn(name="drain")
    async def drain(self, step: StepInput) -> StepResult:
        """Wait until the proxy has no connection to anything older, at most the drain time."""
        async with self._steps.open(StepName.DRAIN, step) as opened:
            release, server = opened.release, self._server
            older = await older_replicas(server, release)
            opened.detail = await drained(server, older, release.settings.drain)
            opened.log(f"drain: {opened.detail}")
            return StepResult(opened.detail)
