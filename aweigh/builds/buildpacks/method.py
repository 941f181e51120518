"""Builds by Cloud Native Buildpacks."""

from collections.abc import Container
from pathlib import Path

from aweigh.builds.buildpacks.builder import (
    LIFECYCLE_VERSION,
    PLATFORM_APIS,
    Builder,
    BuildPhase,
    is_trusted,
    read_builder,
    read_lifecycle,
    understands_engine,
)
from aweigh.builds.buildpacks.phase_containers import BuildOrder
from aweigh.builds.containers import BuildContainers
from aweigh.builds.log import BuildLog
from aweigh.builds.method import tool_missing
from aweigh.builds.project_file import PROJECT_FILE, Project
from aweigh.builds.server_build_settings import ServerBuildSettings
from aweigh.builds.source.files import inside, project_of
from aweigh.core.threads import in_thread
from aweigh.deployments.build_settings import Buildpacks
from aweigh.deployments.deployment import Reason
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import (
    StepError,
    StepFailed,
)
from aweigh.deployments.variable import values_of
from aweigh.images.build_tool_images import BuildToolImages
from aweigh.images.release_images import ReleaseImages
from aweigh.servers.running_step import RunningStep


class BuildpacksMethod:
    """Builds one release by running the phases of a builder's lifecycle."""

    def __init__(
        self,
        step: RunningStep,
        source: GitSource,
        build: Buildpacks,
        *,
        containers: BuildContainers,
        build_images: BuildToolImages,
        release_images: ReleaseImages,
        server: ServerBuildSettings,
    ) -> None:
        self._step = step
        self._source = source
        self._build = build
        self._containers = containers
        self._build_images = build_images
        self._release_images = release_images
        self._server = server
        self._found: tuple[Builder, str] | None = None

    async def builder_id(self) -> str:
        builder, lifecycle = await self._builder_and_lifecycle()
        return builder.image if lifecycle == builder.image else f"{builder.image} {lifecycle}"

    async def run(self, image: str, clone: Path, log: BuildLog) -> None:
        project = await in_thread(lambda: project_of(inside(clone, self._source.subdirectory)))
        if project.without_effect and not log.phase:
            ignored = ", ".join(project.without_effect)
            self._step.log(f"these settings in {PROJECT_FILE} have no effect: {ignored}")
        phases = self._containers.phases(await self._order(image, project))
        await phases.ensure_volumes_and_network()
        begun = await phases.begun(BuildPhase(log.phase or BuildPhase.ANALYZER))
        async with phases.preparing(begun, clone) as preparations:
            for phase, preparation in preparations.items():
                self._step.progress(f"{phase}, phase {phase.number} of {len(BuildPhase)}")
                await phases.run(phase, preparation, log.begin(phase), log.take)

    async def _builder(self, spoken: Container[str] = PLATFORM_APIS) -> Builder:
        """Return the builder, pulling its image if it is absent."""
        asked = ImageReference.parse(self._build.builder)
        release = self._step.release
        found = await self._build_images.get(self._step, asked, refresh=release.rebuild)
        try:
            return read_builder(found, spoken)
        except ValueError as error:
            raise StepFailed(
                Reason.BUILDER_NOT_FOUND, f"{asked} {error}. Choose another `build.builder`."
            ) from error

    async def _builder_and_lifecycle(self) -> tuple[Builder, str]:
        """Return the builder, and the trusted image whose lifecycle may use the engine."""
        self._found = self._found or await self._look_for_both()
        return self._found

    async def _look_for_both(self) -> tuple[Builder, str]:
        asked = ImageReference.parse(self._build.builder)
        if is_trusted(asked, self._server.trusted_builders):
            builder = await self._builder()
            await self._refuse_an_old_engine(builder.lifecycle)
            return builder, builder.image
        wanted = self._server.lifecycle_image
        try:
            reference = ImageReference.parse(wanted)
            facts = await self._build_images.get(self._step, reference)
            spoken = read_lifecycle(facts)
        except (StepError, ValueError) as error:
            raise tool_missing(
                error,
                f"{asked} is not a trusted builder (AWEIGH_TRUSTED_BUILDERS), and the lifecycle "
                f"image for other builders cannot be pulled: {error} Check AWEIGH_LIFECYCLE_IMAGE "
                f"({wanted}) of the server worker.",
            ) from error
        await self._refuse_an_old_engine(facts.labels.get(LIFECYCLE_VERSION, ""))
        return await self._builder(spoken), facts.id

    async def _refuse_an_old_engine(self, lifecycle: str) -> None:
        api = await self._containers.api_version()
        if not understands_engine(lifecycle, api):
            raise StepFailed(
                Reason.ENGINE_TOO_OLD,
                f"Lifecycle {lifecycle} of {self._build.builder} needs Docker 25 or newer; this "
                f"engine supports API {api} only. Update Docker, or choose another "
                "`build.builder`.",
            )

    async def _order(self, image: str, project: Project) -> BuildOrder:
        release, server, limits = self._step.release, self._server, self._build.limits
        builder, lifecycle = await self._builder_and_lifecycle()
        run_image = ImageReference.parse(builder.run_image)
        await self._build_images.get(self._step, run_image, refresh=release.rebuild)
        return BuildOrder(
            slug=release.slug,
            sequence=release.sequence,
            labels=self._containers.labels(release),
            builder=builder,
            lifecycle_image=lifecycle,
            image=image,
            previous=await self._release_images.newest(release.slug),
            process=self._build.process,
            subdirectory=self._source.subdirectory,
            network=self._containers.network_name,
            socket=str(server.socket),
            cpus=limits.cpus or server.cpus,
            memory_bytes=limits.memory_bytes or server.memory_bytes,
            pids=limits.pids,
            log_bytes=server.log_bytes,
            repository=self._source.repository,
            commit=release.commit or "",
            env=values_of(self._build.env),
            project=project,
        )
