"""Reconciles one application on a server with the database."""

from collections.abc import Mapping
from functools import partial
from typing import Final

import structlog

from aweigh.contract import KnownApplication
from aweigh.core.background_tasks import BackgroundTasks
from aweigh.core.tasks import gather_all
from aweigh.deployments.deployment import DeploymentState
from aweigh.engine.container import Container
from aweigh.routing.live_state import LiveState
from aweigh.routing.route_files import RouteFile
from aweigh.servers.locks import Locks
from aweigh.upkeep.findings import FindingsBuilder
from aweigh.upkeep.leftovers import Leftovers
from aweigh.upkeep.live_check import LiveCheck
from aweigh.upkeep.repair import ContainerRepair, RouteRepair

_log = structlog.get_logger(__name__)

#: How long to wait for a lock that a step holds; other applications wait meanwhile.
_PATIENCE_SECONDS: Final = 5.0


class ApplicationReconciler:
    def __init__(
        self,
        locks: Locks,
        live: LiveState,
        route_repair: RouteRepair,
        container_repair: ContainerRepair,
        leftovers: Leftovers,
        check: LiveCheck,
    ) -> None:
        self._locks = locks
        self._live = live
        self._route_repair = route_repair
        self._container_repair = container_repair
        self._leftovers = leftovers
        self._check = check
        self._background = BackgroundTasks()

    async def reconcile(
        self, known: KnownApplication, containers: list[Container], findings: FindingsBuilder
    ) -> list[Container] | None:
        """Remove an application's leftovers, repair what is live, and add it to the findings.

        Return the containers that are still to be stopped and removed; None if nothing was done,
        because a newer deployment or another step is running.
        """
        answers: bool | None
        outgoing: list[Container] | None
        try:
            file, outgoing = await self._put_right(known, containers)
            answers = await self._check.answers(file) if file else False
        except TimeoutError:
            _log.info("skipped an application that a step has locked", slug=known.slug)
            file, answers, outgoing = self._live.route_file(known.slug), None, None
        except _Newer:
            file, answers, outgoing = self._live.route_file(known.slug), None, None
        findings.unsure -= in_doubt(known)
        if file:
            findings.add(file, answers, verified=self._live.is_beyond_return(file))
        return outgoing

    async def stop(self, outgoing: Mapping[str, list[Container]]) -> None:
        """Stop and remove containers, by their application.

        A program may take an hour to end: after half a minute the rest continues in the background.
        """
        await gather_all(
            self._background.wait(application, partial(self._leftovers.stop_and_remove, containers))
            for application, containers in outgoing.items()
            if containers
        )

    async def _put_right(
        self, known: KnownApplication, containers: list[Container]
    ) -> tuple[RouteFile | None, list[Container]]:
        """Return the live route file, and containers that are still to be stopped and removed.

        Raises:
            TimeoutError: a step of the application, or its removal, is still running.
            _Newer: a newer deployment has begun.
        """
        async with self._locks.holding(known.id, patience=_PATIENCE_SECONDS):
            if self._live.has_begun_after(known.id, known.highest_sequence):
                # It began after the inventory was made, or before the database was restored.
                raise _Newer
            self._live.discard_unfinished(known.slug)
            file = await self._route_repair.repair(known)
            outgoing = await self._leftovers.remove(known, file, containers)
            if file and not known.in_flight:
                await self._container_repair.repair(file)
                if known.state_of(file.generation.sequence) is DeploymentState.SUCCEEDED:
                    await self._live.verify(file)
            return file, outgoing


class _Newer(Exception):
    """A deployment that is not in the inventory has begun on this server."""


def in_doubt(known: KnownApplication) -> set[str]:
    """Return the application's deployments that may be live."""
    return {one.id for one in known.deployments if not one.state.ended or one.id == known.live}
