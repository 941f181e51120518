"""The reconciler on a server: what runs there, compared with what the database expects."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import structlog
from temporalio import activity

from activities.inputs import LiveDeployments, ReconcileInput
from activities.replicas import Replicas, replicas_of
from activities.retention import forget_pulled, sweep_application
from activities.step import beating, in_temporals_words
from aweigh.domain.container import APPLICATION, INSTANCE, ROLE, SEQUENCE
from aweigh.domain.deployment import DeploymentState
from aweigh.domain.errors import ProxySilent, StepError

if TYPE_CHECKING:
    from aweigh.adapters.api import Api
    from aweigh.adapters.commits import Commit
    from aweigh.adapters.engine import Container
    from aweigh.adapters.journal import Journal
    from aweigh.adapters.server import Server
    from aweigh.contract import KnownApplication

_log = structlog.get_logger(__name__)


class ReconcileActivities:
    """Removes what belongs to nothing, makes again what is gone, reports the rest.

    It knows the highest sequences from before it looked at the engine, so that a deployment which
    begins meanwhile is never taken for a leftover; and it uses the steps' own lock.
    """

    def __init__(self, server: Server, api: Api, journal: Journal) -> None:
        self._server = server
        self._api = api
        self._journal = journal

    @activity.defn(name="reconcile_server")
    async def reconcile(self, _: ReconcileInput) -> LiveDeployments:
        """Put the server right; tell which deployments are live and answer there."""
        async with beating(), in_temporals_words("reconcile", []):
            return await self.run()

    async def run(self) -> LiveDeployments:
        inventory = await self._api.inventory()
        containers = await self._by_application()
        known = {one.id: one for one in inventory.applications}
        for stranger in containers.keys() - known.keys():
            names = [one.name for one in containers[stranger]]
            _log.warning("containers of an unknown application", containers=names)
        if any(self._server.commits.routed.glob("*.yml")):
            async with self._server.locks.holding("server"):
                await self._server.proxy.ensure()
        live = [
            deployment
            for application in inventory.applications
            if (deployment := await self._application(application, containers[application.id]))
        ]
        await forget_pulled(self._server)
        await self._server.networks.remove_unused_networks({self._server.bridge.name})
        return LiveDeployments(live)

    async def _by_application(self) -> defaultdict[str, list[Container]]:
        found: defaultdict[str, list[Container]] = defaultdict(list)
        for one in await self._server.engine.containers({INSTANCE: self._server.instance}):
            if APPLICATION in one.labels:
                found[one.labels[APPLICATION]].append(one)
        return found

    async def _application(
        self, known: KnownApplication, containers: list[Container]
    ) -> str | None:
        """The application's live deployment, if it answers."""
        async with self._server.locks.holding(known.id):
            commit = self._take_back_failed(known)
            for one in containers:
                if self._is_leftover(one, known, commit):
                    await self._server.engine.remove(one.name)
                    _log.info("removed a leftover", container=one.name)
            in_flight = any(not one.state.ended for one in known.deployments)
            if commit and not in_flight:
                await self._make_again(commit)
        await sweep_application(self._server, known)
        for deployment in known.deployments:
            if deployment.state.ended and deployment.id != known.live:
                self._journal.forget(deployment.id)
        return commit.generation.deployment if commit and await self._answers(commit) else None

    def _take_back_failed(self, known: KnownApplication) -> Commit | None:
        """The committed file; one that a failed deployment left is taken back where it can be."""
        commit = self._server.commits.live(known.slug)
        if commit is None:
            return None
        states = {one.sequence: one.state for one in known.deployments}
        if states.get(commit.generation.sequence) is not DeploymentState.FAILED:
            return commit
        if not self._server.commits.has_kept(commit):
            _log.warning("a failed deployment is live", file=str(commit.path))
            return commit
        self._server.commits.go_back(commit)
        return self._server.commits.live(known.slug)

    def _is_leftover(self, one: Container, known: KnownApplication, commit: Commit | None) -> bool:
        sequence = int(one.labels.get(SEQUENCE, "0"))
        if known.removed:
            return True
        if sequence > known.highest_sequence:
            return False
        if commit and sequence == commit.generation.sequence:
            return one.labels.get(ROLE) != "replica"
        states = {deployment.sequence: deployment.state for deployment in known.deployments}
        if commit and sequence < commit.generation.sequence:
            # What is live has not ended its deployment: that one still drains the older ones.
            live = states.get(commit.generation.sequence)
            if live is None or not live.ended:
                return False
        return sequence in states and states[sequence].ended

    async def _make_again(self, commit: Commit) -> None:
        """Containers of the live generation that are gone: same name, address and image."""
        generation = commit.generation
        running = await replicas_of(self._server, generation.application, generation.sequence)
        if len(running) == len(generation.addresses):
            return
        image = await self._server.images.find(generation.image_id)
        if image is None:
            _log.error("a live container is gone, and its image too", slug=generation.slug)
            return
        try:
            release = await self._api.release(generation.deployment)
            await Replicas(self._server, release, image).ensure()
        except StepError as error:
            _log.error("a live container is gone", slug=generation.slug, error=str(error))
        else:
            _log.warning("made a live container again", slug=generation.slug)

    async def _answers(self, commit: Commit) -> bool:
        generation = commit.generation
        if commit.path.parent == self._server.commits.routed:
            try:
                pool = await self._server.traefik.pool(generation)
            except ProxySilent:
                return False
            return pool is not None and bool(pool) and pool <= frozenset(generation.urls)
        running = await replicas_of(self._server, generation.application, generation.sequence)
        return bool(running) and all(one.running for one in running)
