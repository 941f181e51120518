"""The containers of a build's phases: their mounts, networks and users."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aweigh.builds.buildpacks.builder import (
    ANALYSIS,
    ANALYZED,
    CACHE,
    LAUNCH_CACHE,
    LAYERS,
    PROJECT_METADATA,
    WORKSPACE,
    Builder,
    BuildPhase,
)
from aweigh.builds.project_file import Project
from aweigh.engine.container_spec import (
    ContainerSpec,
    Mount,
)
from aweigh.engine.labels import ROLE
from aweigh.engine.naming import Names

BUILD_ROLE: Final = "build"
CACHE_ROLE: Final = "cache"
_SOCKET: Final = "/var/run/docker.sock"
_DATE: Final = "SOURCE_DATE_EPOCH"


@dataclass(frozen=True, kw_only=True)
class BuildOrder:
    """The inputs of one buildpacks build on one server."""

    slug: str
    sequence: int
    labels: Mapping[str, str]
    builder: Builder
    #: The image for the phases that see the engine; its lifecycle is trusted.
    lifecycle_image: str
    image: str
    #: The application's previous image, whose layers are reused; empty if there is none.
    previous: str = ""
    process: str
    subdirectory: str
    network: str
    socket: str
    cpus: float
    memory_bytes: int
    pids: int
    #: The maximum size of a deployment's log.
    log_bytes: int
    repository: str
    commit: str
    #: The application's build variables; they override those of the repository.
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    project: Project = field(default_factory=Project)

    @property
    def variables(self) -> dict[str, str]:
        return {**self.project.env, **self.env}

    @property
    def created(self) -> dict[str, str]:
        """Return the variable with the image's creation date, if the application sets one.

        Without a date, equal content gives an equal image.
        https://github.com/buildpacks/spec/blob/main/platform.md#source-date-epoch-1
        """
        wanted = self.variables.get(_DATE, "")
        return {_DATE: wanted} if wanted.isdecimal() and wanted.isascii() else {}

    @property
    def provenance(self) -> str:
        """Return the exporter's `project-metadata.toml`, which records the origin of the source."""
        return (
            '[source]\ntype = "git"\n'
            f"[source.version]\ncommit = {json.dumps(self.commit)}\n"
            f"[source.metadata]\nurl = {json.dumps(self.repository)}\n"
        )


def engine_log(log_bytes: int) -> int:
    """Return how many bytes of output the engine must keep for a deployment's log of `log_bytes`.

    The engine's format takes up to three times the size of a line. When the engine rotates the
    file, a reader loses what it had not read yet, so that must not happen before the log is full.
    """
    return 8 * log_bytes


def phase_spec(names: Names, order: BuildOrder, phase: BuildPhase) -> ContainerSpec:
    """Return the container of one phase."""
    builder = order.builder
    untrusted = phase.runs_untrusted_code
    return ContainerSpec(
        name=names.build(order.slug, order.sequence, phase),
        image=builder.image if untrusted else order.lifecycle_image,
        labels=dict(order.labels) | {ROLE: BUILD_ROLE, "traefik.enable": "false"},
        # Only a date, never the application's or the build's variables: `docker inspect` shows
        # them.
        env={
            "CNB_PLATFORM_API": builder.platform_api,
            "CNB_ANALYZED_PATH": ANALYZED,
            "CNB_PROJECT_METADATA_PATH": PROJECT_METADATA,
            **(order.created if phase is BuildPhase.EXPORTER else {}),
        },
        entrypoint=(f"/cnb/lifecycle/{phase}",),
        command=builder.arguments(phase, order.image, order.process, order.previous),
        network=order.network if untrusted else "none",
        mounts=_mounts(names, order, phase),
        user=builder.user_of(phase),
        cpus=order.cpus,
        memory_bytes=order.memory_bytes,
        pids=order.pids,
        confined=untrusted,
        log_bytes=engine_log(order.log_bytes),
    )


def _mounts(names: Names, order: BuildOrder, phase: BuildPhase) -> tuple[Mount, ...]:
    def of_this_build(what: str, target: str, *, read_only: bool = False) -> Mount:
        source = names.build_volume(order.slug, order.sequence, what)
        return Mount(source=source, target=target, read_only=read_only)

    application = of_this_build("app", WORKSPACE)
    cache = Mount(source=names.cache(order.slug, "build"), target=CACHE)
    launch_cache = Mount(source=names.cache(order.slug, "launch"), target=LAUNCH_CACHE)
    own: Mapping[BuildPhase, tuple[Mount, ...]] = {
        BuildPhase.ANALYZER: (launch_cache,),
        BuildPhase.DETECTOR: (application,),
        BuildPhase.RESTORER: (cache,),
        BuildPhase.BUILDER: (application,),
        BuildPhase.EXPORTER: (application, cache, launch_cache),
    }
    layers = of_this_build("layers", LAYERS)
    analysis = of_this_build("analysis", ANALYSIS, read_only=phase.runs_untrusted_code)
    socket = (Mount(source=order.socket, target=_SOCKET),)
    return (layers, analysis, *own[phase], *(socket if order.builder.sees_engine(phase) else ()))
