"""Builds images from repositories on the application's server."""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aweigh.builds.buildpacks.method import BuildpacksMethod
from aweigh.builds.containers import BuildContainers
from aweigh.builds.dockerfile.method import DockerfileMethod
from aweigh.builds.images_by_content import ImagesByContent
from aweigh.builds.limits import within_limits
from aweigh.builds.log import BuildLog
from aweigh.builds.method import Method
from aweigh.builds.release_build import ReleaseBuild
from aweigh.builds.server_build_settings import ServerBuildSettings
from aweigh.builds.source.checkout import Checkouts
from aweigh.deployments.build_settings import Dockerfile
from aweigh.deployments.deployment import Reason
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import (
    BuildLost,
    StepFailed,
)
from aweigh.images.build_tool_images import BuildToolImages
from aweigh.images.release_images import ReleaseImages
from aweigh.secrets.masking import prepare
from aweigh.servers.disk import DiskReserve
from aweigh.servers.locks import Locks
from aweigh.servers.running_step import RunningStep

_SHORT: Final = 12


@dataclass(frozen=True)
class BuildMethods:
    """The build methods (Buildpacks and Dockerfile) and the collaborators that they share."""

    containers: BuildContainers
    build_images: BuildToolImages
    release_images: ReleaseImages
    server: ServerBuildSettings
    disk: DiskReserve

    def of(self, step: RunningStep, source: GitSource) -> Method:
        """Return the method by which a source is built."""
        if isinstance(source.build, Dockerfile):
            return DockerfileMethod(
                step,
                source,
                source.build,
                containers=self.containers,
                build_images=self.build_images,
                server=self.server,
                disk=self.disk,
            )
        return BuildpacksMethod(
            step,
            source,
            source.build,
            containers=self.containers,
            build_images=self.build_images,
            release_images=self.release_images,
            server=self.server,
        )


class SourceBuilds:
    def __init__(
        self, checkouts: Checkouts, images: ImagesByContent, methods: BuildMethods, locks: Locks
    ) -> None:
        self._checkouts = checkouts
        self._images = images
        self._methods = methods
        self._containers = methods.containers
        self._locks = locks

    async def fetch(self, step: RunningStep) -> None:
        """Resolve the commit and fetch its files, unless its image already exists.

        Raises:
            StepError: the commit cannot be fetched, with the reason.
        """
        build = self._build_of(step)
        if found := await self._images.find(build):
            step.log(f"{step.detail}, built before: {found.id}")
            return
        await self._checkouts.fetch(step, build.source)
        step.detail = f"commit {(step.release.commit or '')[:_SHORT]}"
        await self._log_the_queue(step)

    async def _log_the_queue(self, step: RunningStep) -> None:
        """Log that other builds run: a build that waits for its slot cannot log it itself."""
        others = {application for application, _ in await self._containers.running()}
        if others - {step.release.application}:
            step.log(
                "other builds are running on this server; if they use all slots "
                "(AWEIGH_BUILD_SLOTS), this build starts when one of them has ended"
            )

    async def build(self, step: RunningStep) -> None:
        """Build the release's image from its commit, unless it exists.

        Raises:
            StepError: the commit cannot be fetched or built, with the reason.
        """
        build = self._build_of(step)
        async with self._locks.holding(_lock_of(step.release.application)):
            if await self._images.find(build) is None:
                await self._run(build, await self._checkouts.fetch(step, build.source))
            await self._clear_up(step)

    def _build_of(self, step: RunningStep) -> ReleaseBuild:
        source = step.release.settings.source
        if not isinstance(source, GitSource):
            raise TypeError(f"the source of {step.release.slug} is not a git repository")
        return ReleaseBuild(step, source, self._methods.of(step, source))

    async def _run(self, build: ReleaseBuild, clone: Path) -> None:
        """Run the build, continuing one that an earlier attempt left running."""
        step, name = build.step, await self._images.name(build)
        await self._containers.end_others(step.release)
        await self._end_unattended()
        spent = await self._containers.seconds(step.release)
        log = BuildLog(step, clone.with_name("read"))
        await asyncio.to_thread(prepare, step.secrets, much=True)
        minutes = build.source.build.limits.minutes
        try:
            await within_limits(
                build.method.run(name, clone, log),
                self._methods.disk,
                what="The build",
                seconds=60 * minutes - spent,
                too_long=f"The build took longer than its {minutes} min; "
                "raise `build.limits.minutes`.",
            )
        except (StepFailed, BuildLost) as error:
            step.evidence = log.last_lines
            await self._clear_up(step)
            if error.reason is Reason.DISK_FULL:  # a cache may have filled the disk
                await self._containers.remove_application(step.release.application)
            raise
        except asyncio.CancelledError:
            if not step.attempt.worker_stops():  # else the next worker continues this build
                await self._clear_up(step)
            raise
        await self._images.pin_built(build)

    async def _end_unattended(self) -> None:
        """Remove builds of other applications whose worker died.

        They hold no slot, and nothing checks their time limit or the disk. Their next attempt
        starts again, from their caches.
        """
        for application, deployment in await self._containers.running():
            with contextlib.suppress(TimeoutError):  # a step is working on it
                async with self._locks.holding(_lock_of(application), patience=0):
                    await self._containers.discard(deployment)

    async def _clear_up(self, step: RunningStep) -> None:
        """Remove everything of the build but the image and the caches."""
        deployment = step.release.deployment
        if self._checkouts.of(deployment).parent.exists():
            await self._containers.discard(deployment)


def _lock_of(application: str) -> str:
    """Return the lock of an application's builds, held by the step that works on one."""
    return f"build-{application}"
