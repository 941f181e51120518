"""Containers that serve nobody, of ended deployments and of removed applications."""

from collections.abc import Iterable
from typing import Final

import structlog

from aweigh.containers.application_networks import ApplicationNetworks
from aweigh.contract import KnownApplication
from aweigh.core.tasks import gather_all
from aweigh.deployments.step_errors import StepError
from aweigh.engine.container import Container
from aweigh.engine.labels import (
    ROLE,
    sequence_of,
)
from aweigh.engine.own_containers import OwnContainers
from aweigh.routing.drain import Drain
from aweigh.routing.route_files import RouteFile
from aweigh.upkeep.live_check import LiveCheck

_log = structlog.get_logger(__name__)

_DRAIN_SECONDS: Final = 30.0


class Leftovers:
    def __init__(
        self,
        containers: OwnContainers,
        networks: ApplicationNetworks,
        drain: Drain,
        check: LiveCheck,
    ) -> None:
        self._containers = containers
        self._networks = networks
        self._drain = drain
        self._check = check

    async def remove(
        self, known: KnownApplication, file: RouteFile | None, containers: list[Container]
    ) -> list[Container]:
        """Remove an application's leftovers. Callers hold the application's lock.

        Return containers that were live before and can be stopped now. Stopping them may take an
        hour, so it is left to the caller.
        """
        leftovers = [one for one in containers if is_leftover(one, known, file)]
        older: list[Container] = []
        if file and not known.removed:
            older = [one for one in leftovers if one.running and _is_older(one, file)]
        at_once = [one for one in leftovers if one not in older]
        # The proxy may still send requests to a failed deployment that had become live.
        await self._drain.until_idle(at_once, _DRAIN_SECONDS)
        for one in at_once:
            await self._remove(one)
        if known.removed:
            await self._networks.remove(known.slug)
        return older if file and older and await self._are_done(file, older) else []

    async def stop_and_remove(self, leftovers: Iterable[Container]) -> None:
        """Stop leftovers within their grace period, then remove them."""
        await gather_all(self._remove(one, stop=True) for one in leftovers)

    async def _remove(self, leftover: Container, *, stop: bool = False) -> None:
        try:
            if stop:
                await self._containers.stop_and_remove([leftover])
            else:
                await self._containers.remove([leftover])
        except StepError as error:
            _log.error("a leftover cannot be removed", container=leftover.name, error=str(error))
        else:
            _log.info("removed a leftover", container=leftover.name)

    async def _are_done(self, file: RouteFile, older: list[Container]) -> bool:
        """Whether containers that were live before are drained, or their time for that is over."""
        if not await self._check.answers(file):
            return False
        if await self._drain.are_idle(older):
            return True
        release = await self._check.release_of(file)
        return release is not None and file.age > release.settings.drain


def is_leftover(one: Container, known: KnownApplication, file: RouteFile | None) -> bool:
    """Whether a container belongs to an ended deployment that is not live."""
    sequence = sequence_of(one.labels)
    if known.removed:
        return True
    if sequence > known.highest_sequence or not known.has_ended(sequence):
        return False
    if file and sequence == file.generation.sequence:
        return one.labels.get(ROLE) != "replica"
    if file and _is_older(one, file):
        # A running newer deployment drains and removes older containers itself.
        return known.has_ended(file.generation.sequence)
    live = known.live_deployment
    # The live deployment's route file may be lost.
    return live is None or sequence != live.sequence


def _is_older(one: Container, file: RouteFile) -> bool:
    return sequence_of(one.labels) < file.generation.sequence
