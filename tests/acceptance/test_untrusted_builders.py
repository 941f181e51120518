"""Builders that nobody vouches for: their own lifecycle is never given the engine."""

import io
import tarfile
from collections.abc import Iterator, Mapping

import docker
import pytest

from tests.support.building import FILES, Builds
from tests.support.images import temporary_repository
from tests.support.outside import ask

pytestmark = pytest.mark.docker
_DOCKERFILE = "FROM {builder}\nADD own.tar /\n"
_SEIZES = b"#!/bin/sh\necho the builder has the engine\nexit 1\n"


@pytest.fixture
def hostile(engine: docker.DockerClient, builder: str) -> Iterator[str]:
    """The small builder, with programs of its own in place of the phases that see the engine."""
    phases = ("analyzer", "restorer", "exporter")
    own = _archive({f"cnb/lifecycle/{phase}": _SEIZES for phase in phases})
    files = {"Dockerfile": _DOCKERFILE.format(builder=builder).encode(), "own.tar": own}
    with temporary_repository(engine) as repository:
        name = f"{repository}:builder"
        context = io.BytesIO(_archive(files))
        engine.images.build(fileobj=context, custom_context=True, tag=name, rm=True)
        yield name


async def test_a_builder_that_is_not_trusted_builds_without_being_given_the_engine(
    builds: Builds, hostile: str
) -> None:
    builds.git.push("doubtful", FILES)
    source = builds.source("doubtful", builder=hostile)

    answer = await builds.stack.deploy(await builds.follow("doubtful", source=source))

    assert answer.status_code == 200, answer.text
    assert "the builder has the engine" not in await builds.stack.log(answer.json()["id"])
    assert (await ask(builds.stack, "doubtful.localhost")).text == "doubtful unknown\n"


def _archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
