"""A small real builder, made once for each machine."""

from pathlib import Path

import docker

from cli.demo.builder.image import (
    PROCFILE,
    Buildpack,
    build_lifecycle,
    make_builder,
    make_lifecycle,
)
from cli.demo.image import base_image

#: Outside the repository: it takes a minute to build, and never changes for a version.
LIFECYCLE = Path("/var/tmp/aweigh-tests/lifecycle")
#: Runs the repository's own `build.py`, as the scripts of packages are run.
SCRIPT = Buildpack(
    id="aweigh/script", version="0.1.0",
    directory=Path(__file__).with_name("buildpacks") / "script",
)  # fmt: skip


def small_builder(client: docker.DockerClient, repository: str) -> str:
    """A builder, and `lifecycle_of` it beside it."""
    build_lifecycle(LIFECYCLE)
    make_lifecycle(client, repository=repository, lifecycle=LIFECYCLE)
    return make_builder(
        client,
        repository=repository,
        base=base_image(client),
        lifecycle=LIFECYCLE,
        groups=[(SCRIPT, PROCFILE), (PROCFILE,)],
    )


def lifecycle_of(builder: str) -> str:
    """The lifecycle image that was made with a small builder."""
    return builder.replace(":builder", ":lifecycle")
