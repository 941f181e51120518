"""The directory for clones and notes of builds on a server, and for the secret of content keys."""

import os
import shutil
from pathlib import Path
from typing import Final

from aweigh.core import grammar
from aweigh.core.files import write_durably
from aweigh.core.threads import in_thread

_KEY_BYTES: Final = 32


class BuildDirectory:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._secret_file = directory / "content-key"

    def prepare(self) -> None:
        """Create the directory and the secret that prevents guessing of content keys."""
        self._directory.mkdir(parents=True, exist_ok=True)
        if not self._secret_file.exists():
            write_durably(self._secret_file, os.urandom(_KEY_BYTES).hex())

    @property
    def content_secret(self) -> bytes:
        return bytes.fromhex(self._secret_file.read_text())

    def of(self, deployment_id: str) -> Path:
        """Return the directory of one deployment's clone and notes."""
        return self._directory / grammar.path_part(deployment_id)

    async def deployments(self) -> set[str]:
        """Return the deployments that have a directory."""
        here = await in_thread(lambda: list(self._directory.iterdir()))
        return {path.name for path in here if path.is_dir()}

    async def remove(self, deployment_id: str) -> None:
        await remove_tree(self.of(deployment_id))


async def remove_tree(path: Path) -> None:
    """Remove a directory, ignoring errors: a repository's files can have any permissions."""
    await in_thread(lambda: shutil.rmtree(path, ignore_errors=True))
