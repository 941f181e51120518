"""The switch: makes the new generation live and sees it answer, or takes it back."""

from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.own_containers import OwnContainers
from aweigh.routing.drain import Drain
from aweigh.routing.live_state import LiveState
from aweigh.routing.proxy_guard import ProxyGuard
from aweigh.routing.route import Generation
from aweigh.routing.route_files import RouteFile
from aweigh.routing.verification import Verification
from aweigh.servers.running_step import RunningStep


class Switch:
    """Switches to new generations. Callers hold the application's lock."""

    def __init__(
        self,
        live: LiveState,
        proxy: ProxyGuard,
        verification: Verification,
        drain: Drain,
        containers: OwnContainers,
    ) -> None:
        self._live = live
        self._proxy = proxy
        self._verification = verification
        self._drain = drain
        self._containers = containers

    async def switch_to(self, generation: Generation, step: RunningStep) -> None:
        """Make a generation live and see it answer: the point of no return.

        Raises:
            StepFailed: `verify_failed`; what was live before is live again, or its containers are
                stopped and `undo` restores it.
            StepUnavailable: the proxy does not answer; nothing is taken back.
            ProxyImageGone: the proxy's image must be pulled first.
            ValueError: the settings cannot stand in a route file.
        """
        settings = step.release.settings
        if settings.domains:
            await self._proxy.ensure_from_local_image()
        file = await self._live.make_live(generation, settings)
        try:
            step.detail = await self._verification.see_answer(step.release, generation)
        except StepFailed as error:
            if not self._live.is_verified(step.release):
                await self._go_back(step, file)
                raise
            # An earlier attempt had verified it: never go back after that.
            step.detail = f"already live before this attempt, but: {error.message}"
        await self._live.verify(file)

    async def _go_back(self, step: RunningStep, file: RouteFile) -> None:
        """Undo the switch, if the previous generation can still answer."""
        older = await self._containers.older_replicas(step.release)
        if older and not any(one.running for one in older):
            return  # `undo` starts them first
        before = await self._drain.take_back(file)
        step.log(f"switched back; live is {before.sequence if before else 'nothing'}")
