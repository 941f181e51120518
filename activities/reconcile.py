"""The reconciler on a server: what runs there, compared with what the database expects."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from temporalio import activity

from activities.draining import drained
from activities.errors import as_application_errors, caller
from activities.heartbeat import heartbeating
from activities.inputs import ReconcileInput, ReconcileResult
from activities.ongoing import Ongoing
from activities.proxy_view import answers
from activities.repair import Repair
from activities.retention import (
    forget_pulled,
    forget_unused_for_builds,
    sweep_application,
)
from activities.seen import Seen
from aweigh.containers.spec import APPLICATION, INSTANCE, ROLE, sequence_of
from aweigh.core.errors import AweighError, StepError
from aweigh.core.tasks import together
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import DeploymentState

if TYPE_CHECKING:
    from aweigh.containers.engine import Container
    from aweigh.contract import Findings, Inventory, KnownApplication
    from aweigh.routing.route_files import Commit
    from aweigh.servers.api_client import Api
    from aweigh.servers.journal import Journal
    from aweigh.servers.server import Server

_log = structlog.get_logger(__name__)

#: How long an application that is at work is waited for: the others shall not wait for it.
_PATIENCE_SECONDS: Final = 5.0
_DRAIN_SECONDS: Final = 30.0


class ReconcileActivities:
    """Removes what belongs to nothing, makes again what is gone, reports the rest.

    It knows the highest sequences from before it looked at the engine, so that a deployment which
    begins meanwhile is never taken for a leftover; and it uses the steps' own lock.
    """

    def __init__(self, server: Server, api: Api, journal: Journal) -> None:
        self._server = server
        self._api = api
        self._journal = journal
        self._repair = Repair(server, api)
        self._ongoing = Ongoing()

    @activity.defn(name="reconcile_server")
    async def reconcile(self, _: ReconcileInput) -> ReconcileResult:
        """Put the server right; tell the API which deployments are live and answer there.

        Never through the workflow: its input can be forged by anyone who reaches Temporal.
        """
        async with heartbeating(), as_application_errors("reconcile", self._api.secrets.all):
            found = await self.run(caller().run_id)
            await self._api.found(found)
            return ReconcileResult(len(found.live), len(found.unsure), list(found.skipped))

    async def run(self, run_id: str = "") -> Findings:
        journalled = self._journal.deployments()
        workshop = self._server.workshop
        built = await workshop.deployments()
        inventory = await self._api.inventory()
        containers = await self._by_application()
        seen = Seen(skipped=list(inventory.skipped), unsure=set(inventory.left_alone))
        removed = await self._removed(inventory, containers, seen)
        await self._report_unreadable()
        with seen.apart("packet filter"):
            if missing := await self._server.walls.missing():
                _log.warning(missing)
        with seen.apart("proxy"):
            await self.ensure_proxy()
        for application in (*inventory.applications, *removed):
            with seen.apart(application.slug):
                await self._put_right(application, containers[application.id], seen)
        for deployment_id in sorted(set(journalled) - _wanted(inventory)):
            with seen.apart(deployment_id):
                self._journal.forget(deployment_id)
        for deployment_id in sorted(built - _wanted(inventory)):
            with seen.apart(deployment_id):
                work = partial(workshop.discard_leavings, self._server.instance, deployment_id)
                await self._ongoing.wait(deployment_id, work)
        await self._sweep(seen)
        return seen.findings(run_id)

    async def _sweep(self, seen: Seen) -> None:
        with seen.apart("images"):
            await forget_pulled(self._server)
        with seen.apart("images for builds"):
            await forget_unused_for_builds(self._server, datetime.now(UTC))
        with seen.apart("networks"):
            await self._server.networks.remove_unused_networks(self._server.own_networks)

    async def _by_application(self) -> defaultdict[str, list[Container]]:
        found: defaultdict[str, list[Container]] = defaultdict(list)
        for one in await self._server.engine.containers({INSTANCE: self._server.instance}):
            if APPLICATION in one.labels:
                found[one.labels[APPLICATION]].append(one)
        return found

    async def _removed(
        self, inventory: Inventory, containers: dict[str, list[Container]], seen: Seen
    ) -> list[KnownApplication]:
        """Removed applications of which something is here, which no inventory lists unasked."""
        here = {one.generation.application for one in await in_thread(self._server.commits.all)}
        here |= await self._server.application_networks.owners()
        told = {one.id for one in inventory.applications} | set(inventory.skipped)
        found: list[KnownApplication] = []
        for application_id in sorted((here | set(containers)) - told):
            with seen.apart(application_id):
                asked = (await self._api.inventory(application_id)).applications
                found += [one for one in asked if one.removed]
                if not asked:
                    names = [one.name for one in containers.get(application_id, [])]
                    _log.warning("something of an unknown application",
                                 application=application_id, containers=names)  # fmt: skip
        return found

    async def _report_unreadable(self) -> None:
        for path in await in_thread(self._server.commits.unreadable):
            _log.error("the proxy reloads nothing while this file is there", file=str(path))

    async def ensure_proxy(self) -> None:
        """Have the proxy run where anything is routed.

        Raises:
            StepError: its image cannot be pulled, or it cannot be started.
        """
        routed = any(self._server.commits.routed.glob("*.yml"))
        if not routed and not await self._server.proxy.installed():
            return
        await self._server.ensure_proxy()

    async def look_after(self, application_id: str) -> bool:
        """Have the live containers of one application run; whether nothing is left to do.

        Under the same lock as everything else of it; while a deployment goes on, that one knows
        which of them have to run.

        Raises:
            TimeoutError: a step of the application, or its removal, is still running.
        """
        async with self._server.locks.holding(application_id, patience=_PATIENCE_SECONDS):
            inventory = await self._api.inventory(application_id)
            for known in inventory.applications:
                commit = self._server.commits.live(known.slug)
                if known.removed or commit is None:
                    continue
                begun = self._server.fence.mark(known.id).highest > known.highest_sequence
                if known.in_flight or begun or not await self._repair.containers(commit):
                    return False
        return True

    async def _put_right(
        self, known: KnownApplication, containers: list[Container], seen: Seen
    ) -> None:
        try:
            commit, answers, outgoing = await self._application(known, containers)
        except TimeoutError:
            _log.info("at work, and left alone", slug=known.slug)
            commit, answers, outgoing = self._server.commits.live(known.slug), None, []
        seen.unsure -= _in_doubt(known)
        if commit:
            seen.tell(commit, answers, verified=self._server.is_beyond_return(commit))
        # Their programs may take an hour: neither the findings nor a deployment waits for that.
        await together(self._remove(one, stop=True) for one in outgoing)

    async def _application(
        self, known: KnownApplication, containers: list[Container]
    ) -> tuple[Commit | None, bool | None, list[Container]]:
        """What is live, whether it answers, and what is still to be stopped and removed.

        Raises:
            TimeoutError: a step of the application, or its removal, is still running.
        """
        async with self._server.locks.holding(known.id, patience=_PATIENCE_SECONDS):
            if self._server.fence.mark(known.id).highest > known.highest_sequence:
                # Begun since the inventory was made, or made before the database was restored.
                return self._server.commits.live(known.slug), None, []
            self._server.commits.discard_unfinished(known.slug)
            commit = await self._repair.route(known)
            outgoing = await self._remove_leftovers(known, commit, containers)
            if known.removed:
                await self._server.application_networks.remove(known.slug)
            if commit and not known.in_flight:
                await self._repair.containers(commit)
                if known.state_of(commit.generation.sequence) is DeploymentState.SUCCEEDED:
                    await self._server.verify(commit)
        await sweep_application(self._server, known)
        return commit, await self._answers(commit) if commit else False, outgoing

    async def _remove_leftovers(
        self, known: KnownApplication, commit: Commit | None, containers: list[Container]
    ) -> list[Container]:
        """Remove what serves nobody; those that were live before and can be stopped now."""
        leftovers = [one for one in containers if _is_leftover(one, known, commit)]
        older: list[Container] = []
        if commit and not known.removed:
            older = [one for one in leftovers if one.running and _is_older(one, commit)]
        at_once = [one for one in leftovers if one not in older]
        # What a failed deployment made live has just been taken out of the proxy's pool.
        await drained(self._server, at_once, _DRAIN_SECONDS)
        for one in at_once:
            await self._remove(one)
        return older if commit and older and await self._is_done_with(commit, older) else []

    async def _remove(self, leftover: Container, *, stop: bool = False) -> None:
        try:
            if stop:
                await self._server.engine.stop(leftover.name)
            await self._server.engine.remove(leftover.name)
        except StepError as error:
            _log.error("a leftover cannot be removed", container=leftover.name, error=str(error))
        else:
            _log.info("removed a leftover", container=leftover.name)

    async def _is_done_with(self, commit: Commit, older: list[Container]) -> bool:
        """Whether what was live before has answered its last request, or has had its time."""
        if not await self._answers(commit):
            return False
        addresses = tuple(address for one in older if (address := self._server.address_of(one)))
        if await self._server.traefik.connections_to(addresses) == 0:
            return True
        try:
            release = await self._api.release(commit.generation.deployment)
        except AweighError:
            return False
        return commit.age > release.settings.drain

    async def _answers(self, commit: Commit) -> bool | None:
        try:
            release = await self._api.release(commit.generation.deployment)
        except AweighError:
            return None
        return await answers(self._server, release, commit)


def _in_doubt(known: KnownApplication) -> set[str]:
    """Its deployments that may be live."""
    return {one.id for one in known.deployments if not one.state.ended or one.id == known.live}


def _wanted(inventory: Inventory) -> set[str]:
    """Deployments that are open or live; any that was here before them and is none, has ended."""
    return inventory.left_alone.union(*map(_in_doubt, inventory.applications))


def _is_leftover(one: Container, known: KnownApplication, commit: Commit | None) -> bool:
    """Whether a container belongs to an ended deployment that is not live."""
    sequence = sequence_of(one.labels)
    if known.removed:
        return True
    if sequence > known.highest_sequence or not known.has_ended(sequence):
        return False
    if commit and sequence == commit.generation.sequence:
        return one.labels.get(ROLE) != "replica"
    if commit and _is_older(one, commit):
        # While the deployment that took its place goes on, it drains and removes it itself.
        return known.has_ended(commit.generation.sequence)
    live = known.live_deployment
    # Its file may have been lost, and could not be written again.
    return live is None or sequence != live.sequence


def _is_older(one: Container, commit: Commit) -> bool:
    return sequence_of(one.labels) < commit.generation.sequence
