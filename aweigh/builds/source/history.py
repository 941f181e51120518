"""What a repository's server knows of its branches and commits, without any of their files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aweigh.builds.source.git import git, made_for, refs
from aweigh.builds.source.git_environment import GitEnvironment, reaching
from aweigh.builds.source.repository import fetch_address
from aweigh.builds.source.targets import Targets
from aweigh.core.errors import StepFailed
from aweigh.core.subprocesses import LINES
from aweigh.deployments.deployment import Reason
from aweigh.deployments.source import GitSource
from aweigh.github.skip import asks_to_skip

#: How far back, in commits, a branch is looked at for one that somebody named.
_REACH: Final = 10_000
#: Paths of a change beyond which nobody needs to know.
_PATHS: Final = 10_000


@dataclass(frozen=True)
class Change:
    """What has changed with a commit; None: that is not known."""

    #: Whether its message asks for no deployment.
    skips: bool
    paths: tuple[str, ...] | None


@dataclass(frozen=True)
class History:
    """Asks servers. Keys, and what is fetched, lie below `scratch` meanwhile."""

    targets: Targets
    scratch: Path

    async def head_of(self, source: GitSource) -> str | None:
        """The commit where the source's branch stands; None where there is no such branch.

        Raises:
            StepError: that cannot be found out, with the reason.
        """
        name = f"refs/heads/{source.branch}"
        async with reaching(self.targets, source, self.scratch) as env:
            return (await refs(source, env, name)).get(name)

    async def change(self, source: GitSource, before: str | None, commit: str) -> Change:
        """Whether a commit asks to be skipped, and the paths it changes below the source's `paths`.

        Raises:
            StepError: it cannot be had, with the reason.
        """
        async with reaching(self.targets, source, self.scratch) as env:
            await _fetch(source, env, commit, "--depth=1", "--filter=blob:none", commit)
            says = ("log", "-1", "-z", "--format=%B", commit)
            message = "".join(await _lines(source, env, *says, end=b"\0"))
            known = before if source.paths else None
            paths = await _paths(source, env, known, commit) if known else None
        return Change(asks_to_skip(message), paths)

    async def ensure_reachable(self, source: GitSource, commit: str) -> None:
        """A commit that a caller named must be the repository's: servers give a fork's as well.

        It is where a branch or tag stands, or lies in the history of the source's branch.

        Raises:
            StepError: it is not, or that cannot be found out.
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
            f"{commit[:12]} is neither a branch or tag of {source.repository} nor among the "
            f"newest {_REACH} commits of {source.branch}; push a tag to it, and name that.",
        )


async def _history(source: GitSource, env: GitEnvironment, branch: str, commit: str) -> list[str]:
    """The branch's newest commits, in whose repository the commit may be."""
    await _fetch(source, env, commit, f"--depth={_REACH}", "--filter=tree:0", f"{branch}:{branch}")
    return await _lines(source, env, "rev-list", branch)


async def _paths(
    source: GitSource, env: GitEnvironment, before: str, commit: str
) -> tuple[str, ...] | None:
    """What differs between two commits; None where the earlier one is to be had no more."""
    try:
        await _fetch(source, env, before, "--depth=1", "--filter=blob:none", before)
    except StepFailed:
        return None
    diff = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", before, commit)
    paths = await _lines(source, env, *diff, end=b"\0")
    return tuple(paths) if len(paths) <= _PATHS else None


async def _fetch(source: GitSource, env: GitEnvironment, commit: str, *what: str) -> None:
    """Fetch something of the repository that has the commit."""
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
    """A repository that is gone with its environment."""
    return env.home / "bare"
