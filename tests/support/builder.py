"""A small real builder, made once for each machine."""

from pathlib import Path

import docker

from examples.demo.builder.image import (
    LIFECYCLE_VERSION,
    PROCFILE,
    Buildpack,
    build_lifecycle,
    make_builder,
    make_lifecycle_image,
)
from examples.demo.image import base_image
from tests.support.cache import cache_directory

#: It takes a minute to build, and never changes for a version.
LIFECYCLE = cache_directory() / f"lifecycle-{LIFECYCLE_VERSION}"
#: Runs the repository's own `build.py`, as the scripts of packages are run.
SCRIPT = Buildpack(
    id="aweigh/script", version="0.1.0",
    directory=Path(__file__).with_name("buildpacks") / "script",
)  # fmt: skip


def lifecycle_beside(builder: str) -> str:
    """The image that the phases run from that see the engine: the builder is nobody's to trust."""
    return builder.replace(":builder", ":lifecycle")


def small_builder(client: docker.DockerClient, repository: str) -> str:
    """A builder that is not able to the phases that see the engine, and a lifecycle image."""
    build_lifecycle(LIFECYCLE)
    beside = lifecycle_beside(f"{repository}:builder")
    make_lifecycle_image(client, name=beside, lifecycle=LIFECYCLE)
    return make_builder(
        client,
        repository=repository,
        base=base_image(client),
        lifecycle=LIFECYCLE,
        groups=[(SCRIPT, PROCFILE), (PROCFILE,)],
        phases=("detector", "builder"),
    )
