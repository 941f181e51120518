"""Images built by the engine from a Dockerfile and the files beside it."""

import io
import tarfile
from collections.abc import Mapping
from typing import Final

import docker
from docker.errors import BuildError
from docker.models.images import Image

_TRIES: Final = 5
#: The engine's cache names a layer that was removed with another image at that moment.
_GONE: Final = "unable to find image"


def build_image(client: docker.DockerClient, name: str, files: Mapping[str, bytes]) -> Image:
    """Build and name an image from a context of these files alone, the `Dockerfile` among them.

    Raises:
        docker.errors.BuildError: an instruction failed.
    """
    tries = _TRIES
    while True:
        try:
            image, _ = client.images.build(
                fileobj=tar_of(files), custom_context=True, tag=name, rm=True, forcerm=True
            )
        except BuildError as error:
            tries -= 1
            if not tries or _GONE not in str(error):
                raise
        else:
            return image


def tar_of(files: Mapping[str, bytes]) -> io.BytesIO:
    """Return a tar of these files."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for file, data in files.items():
            entry = tarfile.TarInfo(file)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    context.seek(0)
    return context
