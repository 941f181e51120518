"""The builder of the demo's push: the default one, or a small one made on this machine."""

import asyncio
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import docker
from docker.errors import DockerException

from aweigh.core.errors import AweighError
from aweigh.deployments.build_settings import DEFAULT_BUILDER
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.step_errors import StepError
from aweigh.images.images import Images
from examples.demo.builder.image import (
    PROCFILE,
    build_lifecycle,
    has_lifecycle,
    make_builder,
)
from examples.demo.image import base_image
from examples.demo.names import DemoImages

_ENVIRONMENT: Final = Path(__file__).parents[3] / "scripts" / "environment.sh"
#: A registry that takes longer to answer is too slow to pull a gigabyte from.
_REGISTRY_SECONDS: Final = 20
_PROGRESS_SECONDS: Final = 10


@dataclass(frozen=True)
class Chosen:
    """A builder, and the command of the Python in the images that it builds."""

    builder: str
    python: str


async def choose_builder(
    client: docker.DockerClient,
    images: Images,
    names: DemoImages,
    lifecycle: Path,
    say: Callable[[str], None],
) -> Chosen:
    """Return the default builder, or make a small one where that cannot be pulled.

    `lifecycle`: the directory of the lifecycle that a small builder takes; built if it is empty.

    Raises:
        AweighError: the default cannot be pulled, and a small one cannot be made.
    """
    if await _is_available(images, DEFAULT_BUILDER):
        return Chosen(DEFAULT_BUILDER, "python")
    say(f"{DEFAULT_BUILDER} cannot be pulled here, so a small builder is made.")
    if not has_lifecycle(lifecycle):
        await _build_lifecycle(lifecycle, say)
    return Chosen(
        await asyncio.to_thread(_make, client, names, lifecycle), "/usr/local/bin/python -I -S -B"
    )


async def _is_available(images: Images, image: str) -> bool:
    try:
        async with asyncio.timeout(_REGISTRY_SECONDS):
            if await images.find(image):
                return True
            await images.look_up(ImageReference.parse(image), None)
    except (StepError, TimeoutError):
        return False
    return True


async def _build_lifecycle(directory: Path, say: Callable[[str], None]) -> None:
    """Build the lifecycle, and print every few seconds that the build goes on."""
    say("Building the lifecycle of Cloud Native Buildpacks, once, which takes a minute or two ...")
    began = time.monotonic()
    building = asyncio.create_task(asyncio.to_thread(_compile, directory))
    while not (await asyncio.wait({building}, timeout=_PROGRESS_SECONDS))[0]:
        say(f"  still building after {time.monotonic() - began:.0f} s")
    await building
    say(f"  built after {time.monotonic() - began:.0f} s")


def _compile(directory: Path) -> None:
    """Raises: AweighError with the last line that Go printed."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(prefix="go-", dir=directory.parent) as caches:
            build_lifecycle(directory, _go(), Path(caches))
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines() or [str(error)]
        raise AweighError(f"the small builder cannot be made: {said[-1]}") from error
    except OSError as error:
        raise AweighError(f"the small builder cannot be made: {error}") from error


def _go() -> str:
    """The path of a Go that is new enough, installed by scripts/environment.sh if necessary."""
    script = f'. "{_ENVIRONMENT}"; ensure_uv >&2; ensure_go >&2; command -v go'
    done = subprocess.run(["bash", "-euc", script], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _make(client: docker.DockerClient, names: DemoImages, lifecycle: Path) -> str:
    try:
        return make_builder(
            client,
            repository=names.builder,
            base=base_image(client, names.base),
            lifecycle=lifecycle,
            groups=[(PROCFILE,)],
        )
    except (DockerException, OSError) as error:
        raise AweighError(f"the small builder cannot be made: {error}") from error
