"""Clones one commit, with its submodules and Git LFS files if the source asks for them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aweigh.builds.source.git import Tell, git, made_for
from aweigh.builds.source.git_environment import GitEnvironment, reaching
from aweigh.builds.source.git_errors import submodule_error
from aweigh.builds.source.lfs import LargeFiles
from aweigh.builds.source.lfs_pointer import LONGEST_POINTER, Pointer, read_pointer
from aweigh.builds.source.submodule_addresses import (
    BadSubmodule,
    Submodule,
    is_link,
    read_submodules,
    source_of,
)
from aweigh.builds.source.targets import Targets
from aweigh.core.subprocesses import run_tool
from aweigh.core.text import subject_of
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.deployments.repository import fetch_address
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import (
    StepError,
    StepFailed,
)

_MESSAGE: Final = ["log", "-1", "-z", "--format=%B"]
_ADDRESSES: Final = r"^submodule\..*\.(path|url|update)$"


@dataclass(frozen=True)
class Clone:
    """Makes one clone. Keys are kept below `scratch` while it runs; `tell` receives log lines."""

    targets: Targets
    scratch: Path
    tell: Tell

    async def have(self, source: GitSource, commit: str, directory: Path, depth: int = 0) -> str:
        """Check out exactly this commit in `directory`, without history; return its subject.

        `depth` is the nesting level of submodules, 0 for the application's repository.

        Raises:
            StepError: the commit cannot be fetched, with the reason.
        """
        directory.mkdir(parents=True, exist_ok=True)
        fetch = ["fetch", "--depth", "1", "--no-tags", fetch_address(source.repository), commit]
        init = ["init", "--quiet", "--initial-branch", "source", *made_for(commit)]
        async with reaching(self.targets, source, self.scratch) as env:
            await git(init, env, directory, source)
            await git(fetch, env, directory, source, self.tell)
            await git(["checkout", "--quiet", "FETCH_HEAD"], env, directory, source, self.tell)
            submodules = await _submodules(source, env, directory)
            await self._fill_in_pointers(source, env, directory)
            message = await git(_MESSAGE, env, directory, source, end=b"\0")
        for one in submodules:
            await self._have_submodule(source, one, directory, depth + 1)
        return subject_of("".join(message))

    async def _have_submodule(
        self, superproject: GitSource, one: Submodule, directory: Path, depth: int
    ) -> None:
        try:
            own = source_of(one, superproject, depth)
        except BadSubmodule as error:
            raise StepFailed(Reason.SUBMODULE_FAILED, f"The submodule {error}.") from error
        if not _is_free(directory / one.path, directory):
            raise StepFailed(
                Reason.SUBMODULE_FAILED,
                f"The submodule {one.path!r} would overwrite files of the repository.",
            )
        self.tell(f"fetch {one.commit} of {own.repository} into {one.path}")
        try:
            await self.have(own, one.commit, directory / one.path, depth)
        except StepError as error:
            raise submodule_error(error, one, own, superproject) from error

    async def _fill_in_pointers(
        self, source: GitSource, env: GitEnvironment, directory: Path
    ) -> None:
        pointers = await _pointers(source, env, directory)
        if pointers and source.lfs:
            await LargeFiles(self.targets, source, env).fill_in(pointers, directory, self.tell)
        elif pointers:
            self.tell(
                f"warning: {len(pointers)} Git LFS files are left as pointers (for example "
                f"{pointers[0].path}), because `lfs` is off"
            )


async def _submodules(source: GitSource, env: GitEnvironment, clone: Path) -> list[Submodule]:
    """Return the submodules of the checked-out commit, if the source asks for them.

    Raises:
        StepFailed: they cannot be fetched safely.
    """
    if not source.submodules:
        return []
    links: list[str] = []
    settings: list[str] = []

    def keep(line: str) -> None:
        if is_link(line):
            links.append(line)

    await git(["ls-tree", "-r", "--full-tree", "HEAD"], env, clone, source, keep)
    if links:
        # Read from the blob: no symbolic link is followed, and no file is included.
        read = ["git", "config", "--blob", "HEAD:.gitmodules", "--get-regexp", _ADDRESSES]
        await run_tool(read, env=env, directory=clone, tell=settings.append)
    try:
        return read_submodules(links, settings)
    except BadSubmodule as error:
        raise StepFailed(Reason.SUBMODULE_FAILED, f"The submodule {error}.") from error


async def _pointers(source: GitSource, env: GitEnvironment, clone: Path) -> list[Pointer]:
    """Return the Git LFS pointers among the files that the attributes assign to Git LFS."""
    paths: list[str] = []
    command = ["ls-files", "-z", "--", ":(attr:filter=lfs)"]
    await git(command, env, clone, source, paths.append, end=b"\0")
    return await in_thread(lambda: [found for path in paths if (found := _pointer(clone, path))])


def _pointer(clone: Path, path: str) -> Pointer | None:
    file = clone / path
    if file.is_symlink() or not file.is_file():
        return None
    with file.open("rb") as content:
        return read_pointer(path, content.read(LONGEST_POINTER + 1))


def _is_free(place: Path, root: Path) -> bool:
    """Whether `place` is the empty directory that git made, and no link is on the way to it."""
    ways = [place, *place.parents]
    between = ways[: ways.index(root)]
    return all(one.is_dir() and not one.is_symlink() for one in between) and not any(
        place.iterdir()
    )
