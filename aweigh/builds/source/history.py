"""Reads branches and commits of a repository's server, without files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aweigh.builds.source.git import git, made_for, refs
from aweigh.builds.source.git_environment import GitEnvironment, reaching
from aweigh.builds.source.targets import Targets
from aweigh.core.subprocesses import LINES
from aweigh.core.text import subject_of
from aweigh.deployments.deployment import Reason
from aweigh.deployments.repository import fetch_address
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import StepFailed
from aweigh.github.skip import asks_to_skip

#: How many commits of a branch are searched for a commit that a caller named.
_REACH: Final = 10_000
#: Beyond this number, the changed paths are not listed.
_PATHS: Final = 10_000


@dataclass(frozen=True)
class CommitChange:
    """What a commit changed; `paths` is None if that is unknown."""

    #: Whether the commit message asks for no deployment.
    skips: bool
    #: The first line of the commit message.
    subject: str
    paths: tuple[str, ...] | None


@dataclass(frozen=True)
class History:
    """Queries servers. Keys and fetched objects are kept below `scratch` while it runs."""

    targets: Targets
    scratch: Path

    async def head_of(self, source: GitSource) -> str | None:
        """Return the commit of the source's branch; None if the branch does not exist.

        Raises:
            StepError: the branch cannot be read, with the reason.
        """
        name = f"refs/heads/{source.branch}"
        async with reaching(self.targets, source, self.scratch) as env:
            return (await refs(source, env, name)).get(name)

    async def change(self, source: GitSource, before: str | None, commit: str) -> CommitChange:
        """Return whether the commit asks to be skipped, and the paths that changed since `before`.

        Paths are compared only if the source limits its deployments to certain `paths`.

        Raises:
            StepError: the commit cannot be fetched, with the reason.
        """
        async with reaching(self.targets, source, self.scratch) as env:
            await _fetch(source, env, commit, "--depth=1", "--filter=blob:none", commit)
            says = ("log", "-1", "-z", "--format=%B", commit)
            message = "".join(await _lines(source, env, *says, end=b"\0"))
            known = before if source.paths else None
            paths = await _paths(source, env, known, commit) if known else None
        return CommitChange(asks_to_skip(message), subject_of(message), paths)

    async def ensure_reachable(self, source: GitSource, commit: str) -> None:
        """Ensure that a commit named by a caller belongs to the repository, not to a fork.

        Servers also return commits of forks. The commit must be the tip of a branch or a tag, or
        in the history of the source's branch.

        Raises:
            StepError: it is not, or that cannot be determined.
        """
        branch = f"refs/heads/{source.branch}"
        async with reaching(self.targets, source, self.scratch) as env:
            found = await refs(source, env, "refs/heads/*", "refs/tags/*")
            if commit in found.values():
                return
            if branch in found and commit in await _history(source, env, branch, commit):
                return
        raise StepFailed(
            Reason.COMMIT_NOT_ON_BRANCH,
            f"Commit {commit[:12]} is not the tip of a branch or tag of {source.repository}, nor "
            f"among the newest {_REACH} commits of {source.branch}. Push a tag to it, and deploy "
            "the tag.",
        )


async def _history(source: GitSource, env: GitEnvironment, branch: str, commit: str) -> list[str]:
    """Return the branch's newest commits; `commit` determines the object format."""
    await _fetch(source, env, commit, f"--depth={_REACH}", "--filter=tree:0", f"{branch}:{branch}")
    return await _lines(source, env, "rev-list", branch)


async def _paths(
    source: GitSource, env: GitEnvironment, before: str, commit: str
) -> tuple[str, ...] | None:
    """Return the paths that differ between two commits; None if `before` no longer exists."""
    try:
        await _fetch(source, env, before, "--depth=1", "--filter=blob:none", before)
    except StepFailed:
        return None
    diff = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", before, commit)
    paths = await _lines(source, env, *diff, end=b"\0")
    return tuple(paths) if len(paths) <= _PATHS else None


async def _fetch(source: GitSource, env: GitEnvironment, commit: str, *what: str) -> None:
    """Fetch an object from the repository; `commit` determines the object format."""
    *options, wanted = what
    bare, address = _bare(env), fetch_address(source.repository)
    if not bare.exists():
        bare.mkdir()
        await git(["init", "--quiet", "--bare", *made_for(commit)], env, bare, source)
    await git(["fetch", "--no-tags", *options, address, wanted], env, bare, source)


async def _lines(
    source: GitSource, env: GitEnvironment, *command: str, end: bytes = LINES
) -> list[str]:
    lines: list[str] = []
    await git([*command], env, _bare(env), source, lines.append, end)
    return lines


def _bare(env: GitEnvironment) -> Path:
    """Return a bare repository that is removed together with its environment."""
    return env.home / "bare"
