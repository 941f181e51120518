"""Before and after: preflight, sweep, and the removal of an application."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from temporalio import activity

from activities.draining import until_unrouted
from activities.errors import as_application_errors, caller
from activities.heartbeat import heartbeating
from activities.inputs import (
    PreflightResult,
    RemovalInput,
    RemovalResult,
    StepInput,
    StepResult,
)
from activities.retention import (
    forget_pulled,
    forget_unused_for_builds,
    sweep_application,
)
from activities.step import OpenStep, Steps
from activities.surroundings import refuse_binds, refuse_taken_ports
from aweigh.containers.spec import APPLICATION, INSTANCE
from aweigh.core.errors import StepFailed
from aweigh.core.tasks import together
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason, StepName
from aweigh.deployments.source import GitSource

if TYPE_CHECKING:
    from aweigh.contract import Removal
    from aweigh.servers.api_client import Api
    from aweigh.servers.server import Server


class HousekeepingActivities:
    def __init__(self, server: Server, steps: Steps, api: Api) -> None:
        self._server = server
        self._steps = steps
        self._api = api

    @activity.defn(name="preflight")
    async def preflight(self, step: StepInput) -> PreflightResult:
        """Refuse what cannot work here before anything is touched."""
        async with self._steps.open(StepName.PREFLIGHT, step) as opened:
            release, server = opened.release, self._server
            source = release.settings.source
            async with server.locks.holding(release.application):
                await self._pass_fence(opened)
            refuse_binds(server, release)
            server.reserve.refuse_if_below(server.engine_root, "A deployment")
            await refuse_taken_ports(server, release)
            if release.settings.domains:
                await server.ensure_proxy()
            opened.detail = f"server {release.server} is ready"
            if missing := await server.walls.missing():
                opened.detail += f"; but {missing}"
            opened.log(f"preflight of {release.slug} #{release.sequence}: {opened.detail}")
            return PreflightResult(
                opened.detail,
                builds_image=isinstance(source, GitSource),
                has_release_command=release.settings.release_command is not None,
                reports_commit_status=isinstance(source, GitSource)
                and source.credentials is not None,
            )

    async def _pass_fence(self, opened: OpenStep) -> None:
        """Raises: StepFailed (`superseded`)."""
        release, server = opened.release, self._server
        try:
            await server.let_through(release)
        except StepFailed as error:
            live = server.commits.live(release.slug)
            highest = server.fence.mark(release.application).highest
            highest = max(highest, live.generation.sequence if live else 0)
            # A database restored from a backup counts from where it was then.
            again = await self._api.lift(release.deployment, highest)
            if again:
                message = f"{error.message} The counter was lifted; it is tried again as {again}."
                raise StepFailed(Reason.SUPERSEDED, message) from error
            raise

    @activity.defn(name="sweep")
    async def sweep(self, step: StepInput) -> StepResult:
        """Remove images that no kept release needs, and networks nobody is in."""
        async with self._steps.open(StepName.SWEEP, step) as opened:
            removed = await self._sweep_images(opened.release.application)
            await self._server.networks.remove_unused_networks(self._server.own_networks)
            opened.detail = f"{removed} images removed"
            return StepResult(opened.detail)

    async def _sweep_images(self, application_id: str) -> int:
        inventory = await self._api.inventory(application_id)
        removed = 0
        for known in inventory.applications:
            removed += await sweep_application(self._server, known)
        await forget_pulled(self._server)
        await forget_unused_for_builds(self._server, datetime.now(UTC))
        return removed

    @activity.defn(name="remove_application")
    async def remove_application(self, given: RemovalInput) -> RemovalResult:
        """Take away its routes, then its containers, images, networks and, if asked, volumes.

        What is removed, and whether, is the API's word; the payload only says whom to ask about.
        """
        secrets = self._api.secrets.all
        async with heartbeating(), as_application_errors("remove_application", secrets):
            removal = await self._api.removal(given.application_id, caller().run_id)
            async with self._server.locks.holding(removal.application):
                await self._remove(removal)
        return RemovalResult()

    async def _remove(self, removal: Removal) -> None:
        server = self._server
        live = server.commits.live(removal.slug)
        await in_thread(lambda: server.commits.remove(removal.slug))
        await in_thread(lambda: server.fence.close(removal.application, removal.sequence))
        if live:
            await until_unrouted(server, live.generation)
        labels = {INSTANCE: server.instance, APPLICATION: removal.application}
        containers = await server.engine.containers(labels)
        await together(server.engine.stop(one.name) for one in containers)
        await together(server.engine.remove(one.name) for one in containers)
        repository = server.names.image_repository(removal.slug)
        await server.workshop.forget(removal.application)
        for tag in await server.images.tags(repository):
            await server.images.untag(f"{repository}:{tag}")
        await forget_pulled(server)
        await server.application_networks.remove(removal.slug)
        await server.networks.remove_unused_networks(server.own_networks)
        if removal.volumes:
            await server.networks.remove_volumes({APPLICATION: removal.application})
