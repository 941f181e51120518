"""Git repositories, read by the `git` command: one commit, without anything a repository runs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aweigh.builds.source.git_environment import GitEnvironment, reaching
from aweigh.builds.source.git_errors import git_error
from aweigh.builds.source.git_redirect import is_redirect, is_same_place, moved_away, redirect_of
from aweigh.builds.source.repository import fetch_address, is_by_sha256, is_commit, names_of
from aweigh.builds.source.targets import Targets
from aweigh.core.errors import StepFailed
from aweigh.core.subprocesses import LINES, run_tool
from aweigh.deployments.deployment import Reason
from aweigh.deployments.source import GitSource

Tell = Callable[[str], None]


async def git(
    command: list[str],
    env: GitEnvironment,
    directory: Path,
    source: GitSource,
    tell: Tell = lambda line: None,
    end: bytes = LINES,
) -> list[str]:
    """The last lines it says; `tell` gets every line, or what else `end` stands behind.

    Raises:
        StepError: it failed, with the reason.
    """
    code, lines = await _run(command, env, directory, tell, end)
    if code and is_redirect(lines) and (target := await redirect_of(source, env)):
        if not is_same_place(target, source.repository):
            raise moved_away(source, target)
        tell(f"{source.repository} stands at {target}")
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
    """The options of `git init` for a repository that is to have such a commit."""
    return ["--object-format=sha256"] if is_by_sha256(commit) else []


async def refs(source: GitSource, env: GitEnvironment, *patterns: str) -> dict[str, str]:
    """The commits, or annotated tags, that branches and tags stand for now.

    A server may also print what it likes (over ssh, as it likes): only an id is ever an id.

    Raises:
        StepError: they cannot be had, with the reason.
    """
    lines: list[str] = []
    address = fetch_address(source.repository)
    await git(["ls-remote", address, *patterns], env, env.home, source, lines.append)
    rows = (line.split("\t", 1) for line in lines if "\t" in line)
    return {name: commit for commit, name in rows if is_commit(commit)}


@dataclass(frozen=True)
class Git:
    """Repositories on their servers."""

    targets: Targets

    async def commit_of(self, source: GitSource, ref: str | None, scratch: Path) -> str:
        """The commit a tag or branch stands for now, or the source's branch; a commit is itself.

        Raises:
            StepError: it cannot be had, with the reason.
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
        f"{source.repository} has no tag or branch {ref!r}; push it, or give another. "
        "A commit is given by its whole id."
    )
