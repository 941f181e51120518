"""The containers of a build's phases: what each may see, and as whom it runs."""

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
    Phase,
)
from aweigh.builds.project_file import Project
from aweigh.containers.naming import Names
from aweigh.containers.spec import ROLE, ContainerSpec, Mount

BUILD_ROLE: Final = "build"
CACHE_ROLE: Final = "cache"
_SOCKET: Final = "/var/run/docker.sock"
_DATE: Final = "SOURCE_DATE_EPOCH"


@dataclass(frozen=True, kw_only=True)
class BuildOrder:
    """One image to be built, on one server."""

    slug: str
    sequence: int
    labels: Mapping[str, str]
    builder: Builder
    #: The image that the phases run from that see the engine: one whose lifecycle is trusted.
    lifecycle_image: str
    image: str
    #: The application's image before, whose layers are used again; empty: there is none.
    previous: str = ""
    process: str
    subdirectory: str
    network: str
    socket: str
    cpus: float
    memory_bytes: int
    pids: int
    #: How much a deployment's log takes of what is printed.
    log_bytes: int
    repository: str
    commit: str
    #: Variables of the build by the application; those of the repository itself give way to them.
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    project: Project = field(default_factory=Project)

    @property
    def variables(self) -> dict[str, str]:
        return {**self.project.env, **self.env}

    @property
    def created(self) -> dict[str, str]:
        """The date of the image, if one is wanted; without one, equal content is an equal image.

        https://github.com/buildpacks/spec/blob/main/platform.md#source-date-epoch-1
        """
        wanted = self.variables.get(_DATE, "")
        return {_DATE: wanted} if wanted.isdecimal() and wanted.isascii() else {}

    @property
    def provenance(self) -> str:
        """What the image says of where it came from, as the exporter's `project-metadata.toml`."""
        return (
            '[source]\ntype = "git"\n'
            f"[source.version]\ncommit = {json.dumps(self.commit)}\n"
            f"[source.metadata]\nurl = {json.dumps(self.repository)}\n"
        )


def engine_log(log_bytes: int) -> int:
    """How much the engine keeps of what is printed, for a deployment's log of so many bytes.

    A line takes the engine up to three times as much, and whoever reads while it begins a new file
    misses what it had not read: it shall not do so before that log is full.
    """
    return 8 * log_bytes


def phase_spec(names: Names, order: BuildOrder, phase: Phase) -> ContainerSpec:
    """The container of one phase."""
    builder = order.builder
    guests = phase.runs_guests
    return ContainerSpec(
        name=names.build(order.slug, order.sequence, phase),
        image=builder.image if guests else order.lifecycle_image,
        labels=dict(order.labels) | {ROLE: BUILD_ROLE, "traefik.enable": "false"},
        # Never the application's or the build's own variables, but for a date: `docker inspect`
        # shows these.
        env={
            "CNB_PLATFORM_API": builder.platform_api,
            "CNB_ANALYZED_PATH": ANALYZED,
            "CNB_PROJECT_METADATA_PATH": PROJECT_METADATA,
            **(order.created if phase is Phase.EXPORTER else {}),
        },
        entrypoint=(f"/cnb/lifecycle/{phase}",),
        command=builder.arguments(phase, order.image, order.process, order.previous),
        network=order.network if guests else "none",
        mounts=_mounts(names, order, phase),
        user=builder.user_of(phase),
        cpus=order.cpus,
        memory_bytes=order.memory_bytes,
        pids=order.pids,
        confined=guests,
        log_bytes=engine_log(order.log_bytes),
    )


def _mounts(names: Names, order: BuildOrder, phase: Phase) -> tuple[Mount, ...]:
    def of_this_build(what: str, target: str, *, read_only: bool = False) -> Mount:
        source = names.build_volume(order.slug, order.sequence, what)
        return Mount(source=source, target=target, read_only=read_only)

    application = of_this_build("app", WORKSPACE)
    cache = Mount(source=names.cache(order.slug, "build"), target=CACHE)
    launch_cache = Mount(source=names.cache(order.slug, "launch"), target=LAUNCH_CACHE)
    own: Mapping[Phase, tuple[Mount, ...]] = {
        Phase.ANALYZER: (launch_cache,),
        Phase.DETECTOR: (application,),
        Phase.RESTORER: (cache,),
        Phase.BUILDER: (application,),
        Phase.EXPORTER: (application, cache, launch_cache),
    }
    layers = of_this_build("layers", LAYERS)
    analysis = of_this_build("analysis", ANALYSIS, read_only=phase.runs_guests)
    socket = (Mount(source=order.socket, target=_SOCKET),)
    return (layers, analysis, *own[phase], *(socket if order.builder.sees_engine(phase) else ()))
