"""Undo: restores the application's state before a deployment, unless that deployment is live."""

from typing import Final

from aweigh.builds.containers import BuildContainers
from aweigh.deployments.release import Release
from aweigh.engine.own_containers import OwnContainers
from aweigh.routing.drain import Drain
from aweigh.routing.live_state import LiveState
from aweigh.routing.proxy_view import ProxyView
from aweigh.servers.running_step import RunningStep

#: Shorter than the longest drain, because the step's own timeout is less than an hour.
_DRAIN_SECONDS: Final = 300.0


class Undo:
    """Undoes failed deployments. Callers hold the application's lock."""

    def __init__(
        self,
        live: LiveState,
        view: ProxyView,
        drain: Drain,
        containers: OwnContainers,
        builds: BuildContainers,
    ) -> None:
        self._live = live
        self._view = view
        self._drain = drain
        self._containers = containers
        self._builds = builds

    async def is_live(self, release: Release) -> bool:
        """Whether the release's switch succeeded, even if the worker died before recording it."""
        live = self._live.route_file(release.slug)
        if live is None:
            return False
        if not live.is_of(release):
            return self._live.is_returned_to(release, live)
        if not self._live.is_beyond_return(live):
            if not await self._view.answers(release, live):
                return False
            await self._live.verify(live)
        return True

    async def revert(self, step: RunningStep) -> None:
        """Remove everything of the deployment, and restart what it stopped."""
        release = step.release
        live = self._live.route_file(release.slug)
        if live and live.is_of(release):
            await self._drain.take_back(live)
        mine = await self._containers.replicas(release.application, release.sequence)
        await self._drain.until_idle(mine, min(release.settings.drain, _DRAIN_SECONDS))
        commands = await self._containers.release_commands(release.application, release.sequence)
        await self._containers.remove(mine + commands)
        await self._builds.discard(release.deployment)
        live = self._live.route_file(release.slug)
        # A newer deployment may have stopped what is live, and then restarts it itself.
        if live and not self._live.has_begun_after(release.application, release.sequence):
            kept = await self._containers.replicas(release.application, live.generation.sequence)
            await self._containers.run_again(kept)
        step.detail = ", ".join(one.name for one in mine) or "nothing to remove"
