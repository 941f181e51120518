"""Pulls images by digest, with progress, within the disk's reserve, for this server's platform."""

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import Final

from aweigh.core.errors import PullStopped
from aweigh.core.platform import Platform
from aweigh.deployments.deployment import Reason
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.source import Registry
from aweigh.deployments.step_errors import (
    StepFailed,
    StepUnavailable,
)
from aweigh.images.facts import ImageFacts
from aweigh.images.images import Images, PullProgress
from aweigh.images.server_platforms import ServerPlatforms
from aweigh.servers.disk import DiskReserve
from aweigh.servers.running_step import RunningStep

_REPORT_SECONDS: Final = 1.0


class Puller:
    def __init__(self, images: Images, platforms: ServerPlatforms, disk: DiskReserve) -> None:
        self._images = images
        self._platforms = platforms
        self._disk = disk

    async def digest_of(self, reference: ImageReference, registry: Registry | None = None) -> str:
        """Return the digest that a reference points to, of an image that this server can run.

        Raises:
            StepError: the registry's error, or the image is for other platforms.
        """
        remote = await self._images.look_up(reference.exact, registry)
        self._platforms.refuse_foreign(reference, remote.platforms)
        return remote.digest

    async def pull(
        self,
        step: RunningStep,
        asked: ImageReference,
        digest: str,
        registry: Registry | None = None,
    ) -> ImageFacts:
        """Pull an image by the digest that the reference points to.

        Raises:
            StepError: it cannot be pulled, with the reason.
            PullStopped: the step was cancelled.
        """
        reference = asked.at(digest)
        self._disk.refuse_if_below(f"Pulling {reference}")
        watch = _Watch(step, self._disk, asked)
        pull = partial(self._images.pull, reference, registry, watch, asked=asked)
        try:
            try:
                await pull()
            except StepFailed as error:
                platform = await self._emulated(replace(asked, digest=digest), registry, error)
                await pull(platform=platform)
        except PullStopped as stopped:
            raise watch.refusal or stopped from stopped
        found = await self._images.find(str(reference))
        if found is None:
            # An engine that is killed ends the stream without an error.
            raise StepUnavailable(
                Reason.ENGINE_UNAVAILABLE, f"The pull of {asked} ended without an image. Retry."
            )
        step.log(f"pull {asked}: {watch.last}")
        step.detail = f"{watch.last}, {found.size / 1e6:.0f} MB unpacked"
        return found

    async def _emulated(
        self, asked: ImageReference, registry: Registry | None, refusal: StepFailed
    ) -> Platform:
        """Return an emulated platform of the image, which does not exist for the engine's own.

        Raises:
            StepFailed: there is none; either the engine's error, or one with the image's platforms.
        """
        if refusal.reason is not Reason.IMAGE_UNSUPPORTED:
            raise refusal
        try:
            remote = await self._images.look_up(asked.exact, registry)
        except StepUnavailable:
            raise refusal from None
        self._platforms.refuse_foreign(asked, remote.platforms)
        for one in remote.platforms:
            if self._platforms.run(one) and not self._platforms.own.runs(one):
                return one
        raise refusal


class _Watch:
    """Receives a pull's events in its thread; reports them, and protects the disk's reserve."""

    def __init__(self, step: RunningStep, disk: DiskReserve, reference: ImageReference) -> None:
        self._step = step
        self._disk = disk
        self._reference = reference
        self._loop = asyncio.get_running_loop()
        self._reported = 0.0
        self.last = ""
        #: Why the pull was stopped, if not by a cancel.
        self.refusal: StepFailed | None = None

    def __call__(self, progress: PullProgress) -> bool:
        self.last = str(progress)
        if self._step.attempt.is_cancelled():
            return False
        if progress.layers and time.monotonic() - self._reported > _REPORT_SECONDS:
            self._reported = time.monotonic()
            self._loop.call_soon_threadsafe(self._report, self.last)
            try:
                self._disk.refuse_if_below(f"Pulling {self._reference}")
            except StepFailed as error:
                self.refusal = error
                return False
        return True

    def _report(self, how_far: str) -> None:
        self._step.log(f"pull {self._reference}: {how_far}")
        self._step.progress(how_far)
