"""pack, built from its own source at a fixed version: the reference platform of Buildpacks."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import docker
from docker.errors import ImageNotFound

from benchmarks.go import go_program

VERSION: Final = "v0.40.6"
_MODULE: Final = Path(__file__).parent / "pack"
#: Of the volumes in which it keeps what builds of one image share.
_CACHES: Final = "pack-cache-"


@dataclass(frozen=True)
class Pack:
    """How it builds one image after the other of one name."""

    binary: Path
    home: Path
    client: docker.APIClient

    def build(self, image: str, source: Path, *options: str) -> float:
        """Seconds that it took.

        Raises:
            RuntimeError: it failed, with its words.
        """
        command: list[str | Path] = [
            self.binary, "build", image, "--path", source, "--pull-policy", "never", "--no-color",
            *options,
        ]  # fmt: skip
        # Without a key, pack in a container gives every build caches of its own.
        own = {"PACK_HOME": str(self.home), "DOCKER_CONFIG": str(self.home)}
        own["PACK_VOLUME_KEY"] = "bench"
        began = time.monotonic()
        done = subprocess.run(
            command, env={**os.environ, **own}, check=False, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"pack could not build {image}: {done.stdout[-2000:]}")
        return time.monotonic() - began

    @contextmanager
    def forgetting(self, image: str) -> Iterator[str]:
        """Afterwards the image is removed, and with it what its next build would use again."""
        try:
            yield image
        finally:
            with suppress(ImageNotFound):
                self.client.remove_image(image, force=True)
            for volume in self.client.volumes(filters={"name": _CACHES})["Volumes"] or ():
                if image in volume["Name"]:
                    self.client.remove_volume(volume["Name"])


def pack(home: Path, client: docker.APIClient) -> Pack:
    home.mkdir()
    binary = go_program(_MODULE, "github.com/buildpacks/pack", f"pack-{VERSION}")
    return Pack(binary, home, client)
