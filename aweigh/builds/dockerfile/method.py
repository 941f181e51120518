"""Builds of a Dockerfile."""

from pathlib import Path

from aweigh.builds.containers import BuildContainers
from aweigh.builds.dockerfile.buildkit_container import PHASE, DockerfileOrder, step_begun
from aweigh.builds.log import BuildLog
from aweigh.builds.method import tool_missing
from aweigh.builds.server_build_settings import ServerBuildSettings
from aweigh.builds.source.files import dockerfile_of, inside
from aweigh.core.errors import PullStopped
from aweigh.core.threads import in_thread
from aweigh.deployments.build_settings import Dockerfile
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import StepError
from aweigh.deployments.variable import values_of
from aweigh.engine.output import Line
from aweigh.images.build_tool_images import BuildToolImages
from aweigh.servers.disk import DiskReserve
from aweigh.servers.running_step import RunningStep


class DockerfileMethod:
    """Builds one release with a separate BuildKit, never with the one in the engine.

    The engine's BuildKit enforces no limits, runs as root, and reaches the server's own services.
    """

    def __init__(
        self,
        step: RunningStep,
        source: GitSource,
        build: Dockerfile,
        *,
        containers: BuildContainers,
        build_images: BuildToolImages,
        server: ServerBuildSettings,
        disk: DiskReserve,
    ) -> None:
        self._step = step
        self._source = source
        self._build = build
        self._containers = containers
        self._build_images = build_images
        self._server = server
        self._disk = disk

    async def builder_id(self) -> str:
        return ""  # a newer BuildKit is no reason to rebuild the same content

    async def run(self, image: str, clone: Path, log: BuildLog) -> None:
        build = self._build
        context = self._source.subdirectory
        # Fail before pulling BuildKit for nothing.
        await in_thread(lambda: dockerfile_of(inside(clone, context), build.dockerfile))
        buildkit = self._containers.buildkit(await self._order(image))
        self._step.progress(build.dockerfile)

        def take(batch: list[Line]) -> None:
            log.take(batch)
            begun = [step for line in batch if (step := step_begun(line.text))]
            if begun:
                self._step.progress(f"{build.dockerfile}, {begun[-1]}")

        await buildkit.run(clone, log.begin(PHASE), take, self._step.log, self._look)

    def _look(self) -> None:
        """Stop loading the image.

        Raises:
            StepFailed: the disk is full.
            PullStopped: the step was cancelled.
        """
        if self._step.attempt.is_cancelled():
            raise PullStopped(self._step.name)
        self._disk.refuse_if_below("The build")

    async def _image(self) -> str:
        """Return the id of BuildKit's image, pulling it if it is absent."""
        asked = self._server.buildkit_image
        try:
            reference = ImageReference.parse(asked)
            return (await self._build_images.get(self._step, reference)).id
        except (StepError, ValueError) as error:
            raise tool_missing(
                error,
                f"BuildKit's image cannot be pulled: {error} Check AWEIGH_BUILDKIT_IMAGE ({asked}) "
                "of the server worker.",
            ) from error

    async def _order(self, image: str) -> DockerfileOrder:
        release, server, build = self._step.release, self._server, self._build
        limits = build.limits
        return DockerfileOrder(
            slug=release.slug,
            sequence=release.sequence,
            labels=self._containers.labels(release),
            buildkit=await self._image(),
            image=image,
            subdirectory=self._source.subdirectory,
            dockerfile=build.dockerfile,
            target=build.target,
            anew=release.rebuild,
            network=self._containers.network_name,
            cpus=limits.cpus or server.cpus,
            memory_bytes=limits.memory_bytes or server.memory_bytes,
            pids=limits.pids,
            log_bytes=server.log_bytes,
            args=values_of(build.args),
            secrets={name: one.get_secret_value() for name, one in build.secrets.items()},
        )
