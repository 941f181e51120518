"""Builds of a Dockerfile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.build_method import tool_missing
from activities.image import image_named
from aweigh.builds.dockerfile.container import PHASE, DockerfileOrder, step_begun
from aweigh.containers.spec import labels_of
from aweigh.core.errors import PullStopped, StepError
from aweigh.deployments.variable import values_of
from aweigh.images.reference import ImageReference

if TYPE_CHECKING:
    from pathlib import Path

    from activities.build_log import BuildLog
    from activities.step import OpenStep
    from aweigh.builds.build import Dockerfile
    from aweigh.containers.output import Line
    from aweigh.deployments.source import GitSource
    from aweigh.servers.server import Server


class ByDockerfile:
    """One release's build by a BuildKit of its own, never by the one in the engine.

    That one knows no limits, runs as root, and reaches the server's own services.
    """

    def __init__(
        self, server: Server, opened: OpenStep, source: GitSource, build: Dockerfile
    ) -> None:
        self._server = server
        self._opened = opened
        self._source = source
        self._build = build

    async def builder_id(self) -> str:
        return ""  # a newer BuildKit is no reason to build the same content again

    async def run(self, image: str, clone: Path, log: BuildLog) -> None:
        build = self._build
        await self._server.workshop.refuse_without(
            clone, self._source.subdirectory, build.dockerfile
        )
        buildkit = self._server.workshop.buildkit(await self._order(image))
        self._opened.progress(build.dockerfile)

        def take(batch: list[Line]) -> None:
            log.take(batch)
            begun = [step for line in batch if (step := step_begun(line.text))]
            if begun:
                self._opened.progress(f"{build.dockerfile}, {begun[-1]}")

        await buildkit.run(clone, log.begin(PHASE), take, self._opened.log, self._look)

    def _look(self) -> None:
        """Raises: StepFailed: the disk is full; PullStopped: nobody wants the image any more."""
        if activity.is_cancelled():
            raise PullStopped(self._opened.name)
        self._server.reserve.refuse_if_below(self._server.engine_root, "The build")

    async def _image(self) -> str:
        """The id of BuildKit's image, pulled if it is not here."""
        asked = self._server.workshop.buildkit_image
        try:
            reference = ImageReference.parse(asked)
            return (await image_named(self._server, self._opened, reference, refresh=False)).id
        except (StepError, ValueError) as error:
            raise tool_missing(
                error,
                f"The server has no BuildKit: {error} AWEIGH_BUILDKIT_IMAGE ({asked}) of the "
                "server worker names its image.",
            ) from error

    async def _order(self, image: str) -> DockerfileOrder:
        release, server, build = self._opened.release, self._server, self._build
        limits = build.limits
        return DockerfileOrder(
            slug=release.slug,
            sequence=release.sequence,
            labels=labels_of(server.instance, release),
            buildkit=await self._image(),
            image=image,
            subdirectory=self._source.subdirectory,
            dockerfile=build.dockerfile,
            target=build.target,
            anew=release.rebuild,
            network=server.names.build_network,
            cpus=limits.cpus or server.workshop.cpus,
            memory_bytes=limits.memory_bytes or server.workshop.memory_bytes,
            pids=limits.pids,
            log_bytes=server.workshop.log_bytes,
            args=values_of(build.args),
            secrets={name: one.get_secret_value() for name, one in build.secrets.items()},
        )
