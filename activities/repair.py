"""Putting a live application right: its file and its containers, as far as they can be known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from activities.draining import take_back, unpark
from activities.replicas import Replicas, generation_of, replicas_of
from aweigh.containers.spec import RESTART
from aweigh.core.errors import AweighError
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import DeploymentState
from aweigh.routing.route import render

if TYPE_CHECKING:
    from aweigh.containers.engine import Container
    from aweigh.contract import KnownApplication, KnownDeployment
    from aweigh.routing.route import Generation
    from aweigh.routing.route_files import Commit
    from aweigh.servers.api_client import Api
    from aweigh.servers.server import Server

_log = structlog.get_logger(__name__)

_STOPPED: Final = ("created", "exited")
#: With these restart policies no end of a container is meant to be its last.
_ENDLESS: Final = ("always", "unless-stopped")


class Repair:
    """Called under the application's lock."""

    def __init__(self, server: Server, api: Api) -> None:
        self._server = server
        self._api = api

    async def route(self, known: KnownApplication) -> Commit | None:
        """The committed file; one that is lost, or that a failed deployment left, is put right."""
        commits = self._server.commits
        commit = commits.live(known.slug)
        if commit and not self._is_left_by_a_failure(known, commit):
            return commit
        if commit and commits.has_kept(commit):
            await take_back(self._server, commit)
            _log.warning("took back what a failed deployment left", slug=known.slug)
            return commits.live(known.slug)
        if known.removed or known.in_flight:
            return commit
        if live := known.live_deployment:
            return await self._write_again(known, live) or commit
        if commit:  # nothing was ever live that could be gone back to
            await take_back(self._server, commit)
        return None

    def _is_left_by_a_failure(self, known: KnownApplication, commit: Commit) -> bool:
        failed = known.state_of(commit.generation.sequence) is DeploymentState.FAILED
        return failed and not self._server.is_beyond_return(commit)

    async def _write_again(self, known: KnownApplication, live: KnownDeployment) -> Commit | None:
        """The live deployment's file, if the server still has everything that stands in it."""
        server = self._server
        try:
            release = await self._api.release(live.id)
            replicas = await replicas_of(server, known.id, live.sequence)
            image = await server.images.find(replicas[0].image_id) if replicas else None
            if image is None or len(replicas) != release.settings.replicas:
                _report_lost_route(known, "its containers are not all there")
                return None
            generation = generation_of(server, release, image, replicas)
            text = render(generation, release.settings, server.routing)
        except (AweighError, ValueError) as error:
            _report_lost_route(known, str(error))
            return None
        _log.warning("wrote a lost route again", slug=known.slug)
        routed = bool(release.settings.domains)
        return await in_thread(lambda: server.commits.commit(generation, text, routed=routed))

    async def containers(self, commit: Commit) -> bool:
        """The live generation's: made again where they are gone, started where they stopped.

        Whether all of them are there that can be.
        """
        generation = commit.generation
        found = await replicas_of(self._server, generation.application, generation.sequence)
        for one in found:
            if not (one.running or one.status == "restarting" or _shall_run(one)):
                _log.warning("a live container does not run", container=one.name, status=one.status)
        # Their network was removed by hand, or they were taken out of it.
        cut_off = await self._server.application_networks.cut_off(generation.slug, found)
        stopped = [one for one in found if one not in cut_off and _shall_run(one)]
        missing = len(generation.addresses) - len(found) + len(cut_off)
        if not stopped and missing <= 0:
            return True
        try:
            await self._run_again(generation, stopped, cut_off, missing)
        except AweighError as error:
            _log.error("a live container cannot be had again", slug=generation.slug,
                       error=str(error))  # fmt: skip
            return False
        _log.warning("live containers run again", slug=generation.slug, made=missing,
                     started=[one.name for one in stopped])  # fmt: skip
        return True

    async def _run_again(
        self,
        generation: Generation,
        stopped: list[Container],
        cut_off: list[Container],
        missing: int,
    ) -> None:
        """Start what stands still, and make again what is gone: same name, address and image.

        Raises:
            AweighError
        """
        image = await self._server.images.find(generation.image_id)
        if image is None:
            raise AweighError(f"its image {generation.image_id} is gone too; deploy again")
        release = await self._api.release(generation.deployment)
        replicas = Replicas(self._server, release, image)
        await replicas.make_way()
        for one in cut_off:
            await self._server.engine.stop(one.name)
            await self._server.engine.remove(one.name)
        await unpark(self._server, stopped)
        if missing > 0:
            await replicas.ensure()


def _shall_run(one: Container) -> bool:
    """Whether a container stands still that its application's restart policy would have run.

    Stopped or killed by hand it would stay so, while the proxy sends it requests. An application
    is taken off its server by removing it.
    """
    if one.status not in _STOPPED:
        return False
    policy = one.labels.get(RESTART, "no")
    made_way = one.restart != policy  # for a deployment that nobody could undo
    return policy in _ENDLESS or (policy == "on-failure" and (made_way or one.exit_code != 0))


def _report_lost_route(known: KnownApplication, why: str) -> None:
    _log.error("a route is lost; deploy the application again", slug=known.slug, why=why)
