"""Reads Git repositories with the `git` command, without running anything of the repository."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aweigh.builds.source.git_environment import GitEnvironment, reaching
from aweigh.builds.source.git_errors import git_error
from aweigh.builds.source.git_redirect import is_redirect, is_same_place, moved_away, redirect_of
from aweigh.builds.source.targets import Targets
from aweigh.core.subprocesses import LINES, run_tool
from aweigh.deployments.deployment import Reason
from aweigh.deployments.repository import fetch_address, is_by_sha256, is_commit, names_of
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import StepFailed

Tell = Callable[[str], None]


async def git(
    command: list[str],
    env: GitEnvironment,
    directory: Path,
    source: GitSource,
    tell: Tell = lambda line: None,
    end: bytes = LINES,
) -> list[str]:
    """Run a git command and return its last lines; `tell` gets every line, ended by `end`.

    Raises:
        StepError: the command failed, with the reason.
    """
    code, lines = await _run(command, env, directory, tell, end)
    if code and is_redirect(lines) and (target := await redirect_of(source, env)):
        if not is_same_place(target, source.repository):
            raise moved_away(source, target)
        tell(f"{source.repository} redirects to {target}")
        words = [target if word == source.repository else word for word in command]
        code, lines = await _run(words, env.at(target), directory, tell, end)
    if code:
        raise git_error(lines, source)
    return lines


async def _run(
    command: list[str], env: GitEnvironment, directory: Path, tell: Tell, end: bytes
) -> tuple[int, list[str]]:
    try:
        return await run_tool(["git", *command], env=env, directory=directory, tell=tell, end=end)
    except FileNotFoundError as error:
        raise StepFailed(
            Reason.INTERNAL, "git is not installed on the server: apt-get install git"
        ) from error


def made_for(commit: str) -> list[str]:
    """Return the options of `git init` for a repository with the object format of `commit`."""
    return ["--object-format=sha256"] if is_by_sha256(commit) else []


async def refs(source: GitSource, env: GitEnvironment, *patterns: str) -> dict[str, str]:
    """Return the ids of commits or annotated tags that branches and tags point to.

    A server can print other text too (over ssh, anything), so only valid ids are taken.

    Raises:
        StepError: the references cannot be read, with the reason.
    """
    lines: list[str] = []
    address = fetch_address(source.repository)
    await git(["ls-remote", address, *patterns], env, env.home, source, lines.append)
    rows = (line.split("\t", 1) for line in lines if "\t" in line)
    return {name: commit for commit, name in rows if is_commit(commit)}


@dataclass(frozen=True)
class Git:
    """Reads repositories on their servers."""

    targets: Targets

    async def commit_of(self, source: GitSource, ref: str | None, scratch: Path) -> str:
        """Return the commit that a tag, a branch or by default the source's branch points to.

        A commit id is returned unchanged.

        Raises:
            StepError: the commit cannot be found, with the reason.
        """
        if ref and is_commit(ref):
            return ref
        names = names_of(ref, source.branch)
        async with reaching(self.targets, source, scratch) as env:
            found = await refs(source, env, *names)
        for name in names:
            if name in found:
                return found[name]
        raise StepFailed(Reason.COMMIT_NOT_FOUND, _nothing_so_called(source, ref))


def _nothing_so_called(source: GitSource, ref: str | None) -> str:
    if ref is None:
        return f"{source.repository} has no branch {source.branch!r}; push it, or change `branch`."
    return (
        f"{source.repository} has no tag or branch {ref!r}. Push it, or name another one; a "
        "commit needs its full id."
    )
