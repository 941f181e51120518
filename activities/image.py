"""The image of a release: pulled if it is not there, pinned by content, named by us."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.inputs import StepInput, StepResult
from activities.platform import refuse_foreign
from activities.retention import IMAGES_LOCK, mark_for_builds, mark_pulled
from activities.step import OpenStep, Steps
from aweigh.core.errors import PullStopped, StepError, StepFailed, StepUnavailable
from aweigh.deployments.deployment import Reason, StepName
from aweigh.deployments.release import Image
from aweigh.deployments.source import ImageSource, PullPolicy, Registry
from aweigh.images.reference import ImageReference

if TYPE_CHECKING:
    from aweigh.images.facts import ImageFacts
    from aweigh.images.images import Progress
    from aweigh.images.platform import Platform
    from aweigh.servers.server import Server

_REPORT_SECONDS: Final = 1.0
#: An attempt that begins so long after the first one is the last: a registry that says nothing at
#: all costs each attempt its timeout.
_PATIENCE: Final = timedelta(seconds=30)


class ImageActivities:
    def __init__(self, server: Server, steps: Steps) -> None:
        self._server = server
        self._steps = steps

    @activity.defn(name="pull")
    async def pull(self, step: StepInput) -> StepResult:
        """Have the release's image on the engine, under our own tag."""
        async with self._steps.open(StepName.PULL, step) as opened:
            try:
                await ensure_pulled(self._server, opened)
            except StepUnavailable as error:
                if _is_last_attempt():
                    raise StepFailed(error.reason, error.message) from error
                raise
            return StepResult(opened.detail)


def _is_last_attempt() -> bool:
    info = activity.info()
    return info.current_attempt_scheduled_time - info.scheduled_time > _PATIENCE


async def ensure_pulled(server: Server, opened: OpenStep) -> ImageFacts:
    """The release's image, which an earlier attempt may have brought.

    Raises:
        StepError: the image cannot be pulled; carries the reason.
    """
    release = opened.release
    name = server.names.image(release.slug, release.sequence)
    named = await server.images.find(name)
    # The name alone proves nothing: an installation that is gone may have left it.
    if named and named.id == release.image.id:
        opened.detail = opened.detail or f"{release.image.reference} is already there"
        return named
    source = release.settings.source
    if not isinstance(source, ImageSource):
        raise TypeError(f"{release.slug} is built, not pulled")
    found, digest = await _pinned(server, opened, source) or await _resolved(server, opened, source)
    refuse_foreign(server, release.image.reference, [found.platform])
    async with server.locks.holding(IMAGES_LOCK):
        await server.images.tag(found.id, name)
    await opened.pin(Image(reference=release.image.reference, id=found.id, digest=digest))
    opened.log(f"image {release.image.reference} is {found.id}")
    return found


async def _pinned(
    server: Server, opened: OpenStep, source: ImageSource
) -> tuple[ImageFacts, str | None] | None:
    """The image this release is pinned to, by id or, once it is gone from here, by digest."""
    image = opened.release.image
    if image.id is None:
        return None
    asked = ImageReference.parse(image.reference)
    if found := await server.images.find(image.id):
        opened.detail = f"{image.reference}, the same image as before"
        return found, image.digest or found.digest_in(asked)
    never = source.pull is PullPolicy.NEVER
    if image.digest is None or never:
        why = "the pull policy is `never`" if never else "no registry is known to have it"
        raise StepFailed(
            Reason.IMAGE_NOT_FOUND,
            f"The image {image.id} of {image.reference} is no longer on the server, and {why}. "
            "Deploy a tag instead.",
        )
    return await _pulled(server, opened, asked, image.digest, source.registry), image.digest


async def _resolved(
    server: Server, opened: OpenStep, source: ImageSource
) -> tuple[ImageFacts, str | None]:
    """What the reference stands for now."""
    reference = ImageReference.parse(opened.release.image.reference)
    if source.pull is not PullPolicy.ALWAYS:
        if found := await server.images.find(str(reference.exact)):
            opened.detail = f"{reference} is on the server"
            return found, reference.digest or found.digest_in(reference)
        if source.pull is PullPolicy.NEVER:
            raise StepFailed(
                Reason.IMAGE_NOT_FOUND,
                f"{reference} is not on the server, and the pull policy is `never`.",
            )
    digest = reference.digest or await _looked_up(server, reference, source.registry)
    return await _pulled(server, opened, reference, digest, source.registry), digest


async def _looked_up(server: Server, reference: ImageReference, registry: Registry | None) -> str:
    """The digest that the reference stands for; of an image that this server can run.

    Raises:
        StepError: the registry's answer, or the image is for other platforms.
    """
    remote = await server.images.look_up(reference.exact, registry)
    refuse_foreign(server, reference, remote.platforms)
    return remote.digest


async def image_named(
    server: Server, opened: OpenStep, asked: ImageReference, *, refresh: bool
) -> ImageFacts:
    """An image that everybody may read, pulled if it is not here or, to `refresh`, has changed.

    One that was not brought for builds is somebody else's, whose name is not given to another.

    Raises:
        StepError: the image cannot be pulled or cannot run on this server; carries the reason.
    """
    found = await _named(server, opened, asked, refresh=refresh)
    refuse_foreign(server, asked, [found.platform])
    return found


async def _named(
    server: Server, opened: OpenStep, asked: ImageReference, *, refresh: bool
) -> ImageFacts:
    here = await _wanted_again(server, asked)
    if here and not refresh:
        return here
    if here and not any(map(server.names.marks_for_builds, here.tags)):
        opened.log(f"{asked} is this server's own; no newer one is looked for")
        return here
    try:
        digest = asked.digest or await _looked_up(server, asked, None)
        found = await _wanted_again(server, asked.at(digest))
        if found is None:
            found = await _brought(server, opened, asked, digest)
            await mark_for_builds(server, found)
    except StepError as error:
        if here:
            opened.log(f"{asked} stays as it is on the server: {error.message}")
            return here
        raise
    if asked.tag and not asked.digest:
        await server.images.tag(found.id, str(asked))
    return found


async def _wanted_again(server: Server, asked: ImageReference) -> ImageFacts | None:
    """The image, if it is here; then it stays for as long as if it had been pulled just now."""
    async with server.locks.holding(IMAGES_LOCK):
        found = await server.images.find(str(asked.exact))
        if found and any(map(server.names.marks_for_builds, found.tags)):
            await mark_for_builds(server, found)
        return found


async def _pulled(
    server: Server,
    opened: OpenStep,
    asked: ImageReference,
    digest: str,
    registry: Registry | None = None,
) -> ImageFacts:
    """The image of a release; one that was brought for it goes when no release names it."""
    found = await server.images.find(str(asked.at(digest)))
    if found and digest in found.digests_in(asked):  # not an engine's guess by digest alone
        opened.detail = f"{asked.at(digest)} is on the server"
        return found
    found = await _brought(server, opened, asked, digest, registry)
    release = opened.release
    async with server.locks.holding(IMAGES_LOCK):  # a sweep forgets what no application names
        await mark_pulled(server, found, digest)
        await server.images.tag(found.id, server.names.image(release.slug, release.sequence))
    return found


async def _brought(
    server: Server,
    opened: OpenStep,
    asked: ImageReference,
    digest: str,
    registry: Registry | None = None,
) -> ImageFacts:
    reference = asked.at(digest)
    server.reserve.refuse_if_below(server.engine_root, f"Pulling {reference}")
    watch = _Watch(server, opened, asked)
    pull = partial(server.images.pull, reference, registry, watch, asked=asked)
    try:
        try:
            await pull()
        except StepFailed as error:
            platform = await _emulated(server, replace(asked, digest=digest), registry, error)
            await pull(platform=platform)
    except PullStopped as stopped:
        raise watch.refusal or stopped from stopped
    found = await server.images.find(str(reference))
    if found is None:
        # An engine that is killed ends the stream without a word.
        raise StepUnavailable(
            Reason.ENGINE_UNAVAILABLE, f"The pull of {asked} ended, and the image is not there."
        )
    opened.log(f"pull {asked}: {watch.last}")
    opened.detail = f"{watch.last}, {found.size / 1e6:.0f} MB unpacked"
    return found


async def _emulated(
    server: Server, asked: ImageReference, registry: Registry | None, refused: StepFailed
) -> Platform:
    """The platform of an image that this server can run, where the engine found its own missing.

    Raises:
        StepFailed: there is none: the engine's error, or with what the image is for instead.
    """
    if refused.reason is not Reason.IMAGE_UNSUPPORTED:
        raise refused
    try:
        remote = await server.images.look_up(asked.exact, registry)
    except StepUnavailable:
        raise refused from None
    refuse_foreign(server, asked, remote.platforms)
    for one in remote.platforms:
        if server.platforms.run(one) and not server.platforms.own.runs(one):
            return one
    raise refused


class _Watch:
    """Sees a pull's events, in its thread: tells of it, stops it before the disk is full."""

    def __init__(self, server: Server, opened: OpenStep, reference: ImageReference) -> None:
        self._server = server
        self._opened = opened
        self._reference = reference
        self._loop = asyncio.get_running_loop()
        self._told = 0.0
        self.last = ""
        #: Why it was stopped, if not for a cancel.
        self.refusal: StepFailed | None = None

    def __call__(self, progress: Progress) -> bool:
        self.last = str(progress)
        if activity.is_cancelled():
            return False
        if progress.layers and time.monotonic() - self._told > _REPORT_SECONDS:
            self._told = time.monotonic()
            self._loop.call_soon_threadsafe(self._tell, self.last)
            try:
                doing = f"Pulling {self._reference}"
                self._server.reserve.refuse_if_below(self._server.engine_root, doing)
            except StepFailed as error:
                self.refusal = error
                return False
        return True

    def _tell(self, how_far: str) -> None:
        self._opened.log(f"pull {self._reference}: {how_far}")
        self._opened.progress(how_far)
