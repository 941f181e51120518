"""The files of the commit that a release is built from."""

import secrets
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from aweigh.builds.directory import BuildDirectory, remove_tree
from aweigh.builds.limits import within_limits
from aweigh.builds.source.clone import Clone
from aweigh.builds.source.git import Git
from aweigh.builds.source.history import History
from aweigh.builds.source.targets import Targets
from aweigh.deployments.repository import AppInstallation, Token
from aweigh.deployments.source import GitSource
from aweigh.servers.disk import DiskReserve
from aweigh.servers.running_step import RunningStep

#: Less than the timeout of the step.
_FETCH_MINUTES: Final = 55


class Checkouts:
    def __init__(self, targets: Targets, directory: BuildDirectory, disk: DiskReserve) -> None:
        self._targets = targets
        self._directory = directory
        self._disk = disk

    def of(self, deployment_id: str) -> Path:
        """Return the directory of a deployment's files, which `fetch` creates."""
        return self._directory.of(deployment_id) / "source"

    async def commit(self, step: RunningStep, source: GitSource) -> str:
        """Return the commit to build; the first call pins it for all attempts.

        Raises:
            StepError: the commit cannot be found, with the reason.
        """
        release = step.release
        if release.commit is None:
            scratch = self._directory.of(release.deployment)
            opened = await _with_token(step, source)
            commit = await Git(self._targets).commit_of(opened, release.ref, scratch)
            await step.pin_commit(commit)
            return commit
        return release.commit

    async def fetch(self, step: RunningStep, source: GitSource) -> Path:
        """Fetch the files of the commit, completely or not at all, and return their directory.

        Raises:
            StepError: the commit cannot be fetched, with the reason.
        """
        commit = await self.commit(step, source)
        clone = self.of(step.release.deployment)
        if not clone.exists():
            await self._fetch(step, source, commit, clone)
        return clone

    async def _fetch(
        self, step: RunningStep, source: GitSource, commit: str, directory: Path
    ) -> None:
        scratch = directory.parent
        for given_up in scratch.glob("fetching-*"):
            await remove_tree(given_up)
        # A new name: an earlier attempt may still write to its directory.
        begun = scratch / f"fetching-{secrets.token_hex(4)}"
        step.log(f"fetch {commit} of {source.repository}")
        opened = await _with_token(step, source)
        if step.release.ref == commit:  # the caller named this commit, which may be a fork's
            reachable = History(self._targets, scratch).ensure_reachable(opened, commit)
            await self._within_limits(reachable, source)
        clone = Clone(self._targets, scratch, lambda line: step.log_output([line]))

        async def work() -> None:
            step.commit_subject = await clone.have(opened, commit, begun)

        await self._within_limits(work(), source)
        begun.rename(directory)

    async def _within_limits(self, work: Coroutine[Any, Any, None], source: GitSource) -> None:
        allowed = source.build.limits.minutes
        minutes = min(allowed, _FETCH_MINUTES)
        hint = (
            "raise `build.limits.minutes`"
            if minutes == allowed
            else "make the repository smaller, or move it to a faster server"
        )
        too_long = f"The fetch took longer than its {minutes} min; {hint}."
        await within_limits(
            work, self._disk, what="The fetch", seconds=60 * minutes, too_long=too_long
        )


async def _with_token(step: RunningStep, source: GitSource) -> GitSource:
    """Return the source with credentials that git understands.

    Raises:
        StepFailed: GitHub issues no token.
    """
    if not isinstance(source.credentials, AppInstallation):
        return source
    token = await step.api.repository_token(step.release.deployment)
    credentials = Token(token=SecretStr(token))
    step.secrets += credentials.hidden
    return source.model_copy(update={"credentials": credentials})
