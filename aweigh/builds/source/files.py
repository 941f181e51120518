"""Archives of files for a build's container, and safe access to a repository's files."""

import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from aweigh.builds.project_file import LONGEST, PROJECT_FILE, Project, read_project
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed

#: The first second after 1980, the date that the lifecycle uses: equal content, equal image.
_DATE: Final = 315_532_801
_GIT: Final = ".git"


def inside(root: Path, subdirectory: str) -> Path:
    """Return the directory to build, without following a link.

    Raises:
        StepFailed: the directory does not exist, or a link is on the way to it.
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


def regular_file(root: Path, path: str) -> Path | None:
    """Return a regular file of the repository; None if it is missing or reached through a link."""
    *directories, name = path.split("/")
    place = root
    for part in directories:
        place = place / part
        if place.is_symlink():
            return None
    found = place / name
    return found if found.is_file() and not found.is_symlink() else None


def dockerfile_of(context: Path, path: str) -> Path:
    """Return the Dockerfile.

    Raises:
        StepFailed: the file does not exist.
    """
    found = regular_file(context, path)
    if found is None:
        raise StepFailed(
            Reason.DOCKERFILE_NOT_FOUND,
            f"The repository has no file {path!r} in the directory that is built (links are not "
            "followed); change `build.dockerfile` or `subdirectory`.",
        )
    return found


def project_of(root: Path) -> Project:
    """Return the settings in the directory's `project.toml`; defaults without such a file.

    Raises:
        StepFailed: the file is invalid.
    """
    found = regular_file(root, PROJECT_FILE)
    if found is None:
        return Project()
    try:
        with found.open(encoding="utf-8") as file:
            return read_project(file.read(LONGEST + 1))
    except ValueError as error:
        raise StepFailed(
            Reason.BUILD_FAILED,
            f"The repository's {PROJECT_FILE} cannot be understood: {error}. Correct it.",
        ) from error


@dataclass(frozen=True)
class FileOwner:
    """The owner of the files in an archive."""

    user: int
    group: int

    def own(self, entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid, entry.gid = self.user, self.group
        entry.uname = entry.gname = ""
        entry.mtime = _DATE
        return entry


def tree_archive(
    directory: Path,
    place: str,
    owner: FileOwner,
    takes: Callable[[str], bool] | None = None,
    files: Mapping[str, str] | None = None,
) -> IO[bytes]:
    """Return a tar of a repository's directory, to be unpacked at `place`.

    `takes` selects paths. `files` are added with a mode that only their owner can read.
    """
    root = place.strip("/")
    taken = takes and _with_parents(path for path in _files(directory) if takes(path))

    def entry_of(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if _GIT in Path(entry.name).parts or not (entry.isfile() or entry.isdir() or entry.issym()):
            return None
        if taken is not None and os.path.relpath(entry.name, root) not in taken:
            return None
        entry.mode &= ~(stat.S_ISUID | stat.S_ISGID)
        return owner.own(entry)

    # Next to the files, and unnamed: the usual temporary directory may be in memory.
    archive = TemporaryFile(dir=directory)  # noqa: SIM115 (the caller reads and closes it)
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(directory, arcname=root, filter=entry_of)
        _add(tar, files or {}, owner)
    archive.seek(0)
    return archive


def _files(directory: Path) -> Iterator[str]:
    """Yield relative paths of files and links below the directory; links are not followed."""
    for folder, folders, names in os.walk(directory):
        place = Path(folder)
        links = [name for name in folders if (place / name).is_symlink()]
        for name in (*names, *links):
            yield (place / name).relative_to(directory).as_posix()


def _with_parents(paths: Iterable[str]) -> set[str]:
    return {one.as_posix() for path in map(Path, paths) for one in (path, *path.parents)}


def files_archive(
    files: Mapping[str, str], owner: FileOwner, directories: Iterable[str] = ()
) -> IO[bytes]:
    """Return a tar of small files, in `directories`, that only their owner can read."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in directories:
            entry = tarfile.TarInfo(path.strip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o700
            tar.addfile(owner.own(entry))
        _add(tar, files, owner)
    archive.seek(0)
    return archive


def _add(tar: tarfile.TarFile, files: Mapping[str, str], owner: FileOwner) -> None:
    for path, text in sorted(files.items()):
        data = text.encode()
        entry = tarfile.TarInfo(path.strip("/"))
        entry.size, entry.mode = len(data), 0o400
        tar.addfile(owner.own(entry), io.BytesIO(data))
