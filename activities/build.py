"""From a repository to an image on the application's own server."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr
from temporalio import activity

from activities.build_log import BuildLog
from activities.buildpacks import ByBuildpacks
from activities.dockerfile import ByDockerfile
from activities.inputs import StepInput, StepResult
from activities.retention import IMAGES_LOCK
from activities.step import OpenStep, Steps
from aweigh.builds.build import Dockerfile
from aweigh.builds.key import content_key
from aweigh.builds.source.repository import Installation, Token
from aweigh.containers.spec import labels_of
from aweigh.core.errors import BuildLost, StepFailed
from aweigh.deployments.deployment import Reason, StepName
from aweigh.deployments.release import Image
from aweigh.deployments.source import GitSource
from aweigh.secrets.masking import prepare

if TYPE_CHECKING:
    from activities.build_method import Method
    from aweigh.images.facts import ImageFacts
    from aweigh.servers.server import Server

_SHORT: Final = 12
#: Within the time of the step.
_FETCH_MINUTES: Final = 55
_FEWER: Final = "make the repository smaller, or its server quicker"
_MORE: Final = "raise `build.limits.minutes`"
#: How often the disk is looked at while code of the repository runs.
_LOOK_SECONDS: Final = 1.0


class BuildActivities:
    def __init__(self, server: Server, steps: Steps) -> None:
        self._server = server
        self._steps = steps

    @activity.defn(name="fetch")
    async def fetch(self, step: StepInput) -> StepResult:
        """Find out the commit, and have its files, unless its image is here already."""
        async with self._steps.open(StepName.FETCH, step) as opened:
            work = Work(self._server, opened)
            if found := await work.image_at_hand():
                opened.log(f"{opened.detail}, built before: {found.id}")
            else:
                await work.fetch()
                await work.tell_of_the_queue()
            return StepResult(opened.detail)

    @activity.defn(name="build")
    async def build(self, step: StepInput) -> StepResult:
        """Have the release's image on the engine, made from its commit."""
        async with self._steps.open(StepName.BUILD, step) as opened:
            await ensure_built(self._server, opened)
            return StepResult(opened.detail)


async def ensure_built(server: Server, opened: OpenStep) -> ImageFacts:
    """The release's image, which an earlier attempt may have brought.

    Raises:
        StepError: the commit cannot be fetched or built; carries the reason.
    """
    work = Work(server, opened)
    async with server.locks.holding(_builds_of(opened.release.application)):
        found = await work.image_at_hand() or await work.build()
        await work.clear_up()
        return found


def _builds_of(application: str) -> str:
    """The lock of whoever watches an application's builds."""
    return f"build-{application}"


class Work:
    """The making of one release's image."""

    def __init__(self, server: Server, opened: OpenStep) -> None:
        source = opened.release.settings.source
        if not isinstance(source, GitSource):
            raise TypeError(f"{opened.release.slug} is not built from source")
        self._server = server
        self._opened = opened
        self._source = source
        self._place = server.workshop.place(opened.release.deployment)
        self._clone = self._place / "source"
        self._known_name = ""
        build = source.build
        self._method: Method = (
            ByDockerfile(server, opened, source, build)
            if isinstance(build, Dockerfile)
            else ByBuildpacks(server, opened, source, build)
        )

    async def image_at_hand(self) -> ImageFacts | None:
        """The image, if it is pinned already or one of the same content was built before."""
        release, images = self._opened.release, self._server.images
        if release.image.id:
            found = await images.find(release.image.id)
            return await self._take(found, release.image.reference) if found else None
        if release.rebuild:
            return None
        name = await self._name()
        found = await images.find(name)
        return await self._take(found, name) if found else None

    async def fetch(self) -> None:
        """The files of the commit, complete or not at all."""
        commit = await self._commit()
        if not self._clone.exists():
            await self._clone_anew(commit)
        self._opened.detail = f"commit {commit[:_SHORT]}"

    async def _clone_anew(self, commit: str) -> None:
        workshop = self._server.workshop
        for given_up in self._place.glob("fetching-*"):
            await workshop.clear(given_up)
        # A name of its own: what an earlier attempt left may still be written to.
        begun = self._place / f"fetching-{secrets.token_hex(4)}"
        self._opened.log(f"fetch {commit} of {self._source.repository}")
        clone = workshop.clone(self._place, self._tell)
        source = await self._opened_source()
        if self._opened.release.ref == commit:  # somebody named it, and it may be a fork's
            reachable = workshop.history(self._place).ensure_reachable(source, commit)
            await self._within_limits(reachable, fetches=True)
        await self._within_limits(clone.have(source, commit, begun), fetches=True)
        begun.rename(self._clone)

    async def tell_of_the_queue(self) -> None:
        """A build that waits for its slot says nothing: its step has not begun."""
        others = {
            application
            for application, _ in await self._server.workshop.running(self._server.instance)
        }
        if others - {self._opened.release.application}:
            self._opened.log(
                "other builds go on here; where they hold all slots (AWEIGH_BUILD_SLOTS), this one "
                "begins once one of them is over"
            )

    async def build(self) -> ImageFacts:
        """Run the build, or what an earlier attempt left of it."""
        await self.fetch()
        name, release, workshop = await self._name(), self._opened.release, self._server.workshop
        labels = labels_of(self._server.instance, release)
        await workshop.end_others(labels)
        await self._end_unwatched()
        spent = await workshop.seconds(labels)
        log = BuildLog(self._opened, self._clone.with_name("read"))
        await asyncio.to_thread(prepare, self._opened.secrets, much=True)
        try:
            await self._within_limits(self._method.run(name, self._clone, log), spent)
        except (StepFailed, BuildLost) as error:
            self._opened.evidence = log.last_lines
            await self.clear_up()
            if error.reason is Reason.DISK_FULL:
                await workshop.forget(release.application)  # a cache may be what filled it
            raise
        except asyncio.CancelledError:
            if not activity.is_worker_shutdown():  # then the next worker goes on with it
                await self.clear_up()
            raise
        found = await self._server.images.find(name)
        if found is None:
            raise StepFailed(Reason.BUILD_FAILED, "The build ended, and its image is not there.")
        return await self._take(found, name)

    async def _end_unwatched(self) -> None:
        """Remove builds of other applications whose worker died: they hold no slot, and nobody
        looks at their time or the disk. Their next attempt begins anew, from their caches."""
        server = self._server
        for application, deployment in await server.workshop.running(server.instance):
            with contextlib.suppress(TimeoutError):  # somebody watches it
                async with server.locks.holding(_builds_of(application), patience=0):
                    await server.workshop.discard_leavings(server.instance, deployment)

    async def clear_up(self) -> None:
        """Leave nothing of the making but the image and the caches."""
        if self._clone.parent.exists():
            await self._server.workshop.discard(
                labels_of(self._server.instance, self._opened.release)
            )

    async def _within_limits(
        self, work: Coroutine[Any, Any, None], spent: float = 0.0, *, fetches: bool = False
    ) -> None:
        """Let it work as long as it may, while the disk has room; `spent`: seconds it has had.

        Raises:
            StepFailed: `timed_out` or `disk_full`; the work has ended then.
        """
        allowed = self._source.build.limits.minutes
        minutes = min(allowed, _FETCH_MINUTES) if fetches else allowed
        deadline = time.monotonic() + 60 * minutes - spent
        working = asyncio.create_task(work)
        try:
            while not (await asyncio.wait({working}, timeout=_LOOK_SECONDS))[0]:
                self._server.reserve.refuse_if_below(self._server.engine_root, "The build")
                if time.monotonic() > deadline:
                    raise StepFailed(
                        Reason.TIMED_OUT,
                        f"{'The fetch' if fetches else 'The build'} took longer than its {minutes} "
                        f"min; {_MORE if minutes == allowed else _FEWER}.",
                    )
            await working
        finally:
            working.cancel()
            await asyncio.wait({working})

    def _tell(self, line: str) -> None:
        self._opened.log_output([line])

    async def _take(self, found: ImageFacts, reference: str) -> ImageFacts:
        release = self._opened.release
        async with self._server.locks.holding(IMAGES_LOCK):
            name = self._server.names.image(release.slug, release.sequence)
            await self._server.images.tag(found.id, name)
        if release.image.id != found.id:
            await self._opened.pin(Image(reference=reference, id=found.id))
        self._opened.detail = f"commit {(release.commit or '')[:_SHORT]} is {reference}"
        return found

    async def _commit(self) -> str:
        release = self._opened.release
        if release.commit is None:
            git, source = self._server.workshop.git, await self._opened_source()
            commit = await git.commit_of(source, release.ref, self._place)
            await self._opened.pin_commit(commit)
            return commit
        return release.commit

    async def _opened_source(self) -> GitSource:
        """The source with credentials that git understands.

        Raises:
            StepFailed: GitHub gives none.
        """
        if not isinstance(self._source.credentials, Installation):
            return self._source
        token = await self._opened.api.repository_token(self._opened.release.deployment)
        credentials = Token(token=SecretStr(token))
        self._opened.secrets += credentials.hidden
        return self._source.model_copy(update={"credentials": credentials})

    async def _name(self) -> str:
        self._known_name = self._known_name or await self._find_name()
        return self._known_name

    async def _find_name(self) -> str:
        # First what may end it: a builder may be a gigabyte to pull.
        commit = await self._commit()
        await self._server.workshop.confine()
        secret, builder_id = self._server.workshop.content_secret, await self._method.builder_id()
        key = content_key(secret, self._source, commit, builder_id)
        return self._server.names.built(self._opened.release.slug, key)
