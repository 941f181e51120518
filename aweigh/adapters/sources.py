"""A repository's files on their way into a build's container, links and all but nothing else."""

import io
import stat
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from aweigh.domain.buildpacks import PLATFORM, WORKSPACE, Builder
from aweigh.domain.deployment import Reason
from aweigh.domain.errors import StepFailed

#: The first second after 1980, as the lifecycle itself dates files: equal content, equal image.
_DATE: Final = 315_532_801
_GIT: Final = ".git"


def inside(root: Path, subdirectory: str) -> Path:
    """The directory that is built, reached without following a link.

    Raises:
        StepFailed: it is not there, or a link leads out of the repository.
    """
    place = root
    for part in subdirectory.split("/") if subdirectory else ():
        place = place / part
        if place.is_symlink() or not place.is_dir():
            raise StepFailed(
                Reason.BUILD_FAILED,
                f"The repository has no directory {subdirectory!r} (links are not followed); "
                "change `subdirectory`.",
            )
    return place


def application_archive(directory: Path, builder: Builder) -> IO[bytes]:
    """A tar of the directory for the workspace, owned by the builder's user."""
    archive = TemporaryFile()  # noqa: SIM115 (the caller reads and closes it)
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(
            directory,
            arcname=WORKSPACE.strip("/"),
            filter=lambda entry: _entry(entry, builder),
        )
    archive.seek(0)
    return archive


def environment_archive(env: Mapping[str, str], builder: Builder) -> IO[bytes]:
    """A tar of `/platform/env`: one file a variable, as the specification has it."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, value in sorted(env.items()):
            data = value.encode()
            entry = tarfile.TarInfo(f"{PLATFORM.strip('/')}/env/{name}")
            entry.size, entry.mode = len(data), 0o400
            tar.addfile(_owned(entry, builder), io.BytesIO(data))
    archive.seek(0)
    return archive


def _entry(entry: tarfile.TarInfo, builder: Builder) -> tarfile.TarInfo | None:
    if _GIT in Path(entry.name).parts or not (entry.isfile() or entry.isdir() or entry.issym()):
        return None
    entry.mode &= ~(stat.S_ISUID | stat.S_ISGID)
    return _owned(entry, builder)


def _owned(entry: tarfile.TarInfo, builder: Builder) -> tarfile.TarInfo:
    entry.uid, entry.gid = builder.user, builder.group
    entry.uname = entry.gname = ""
    entry.mtime = _DATE
    return entry
