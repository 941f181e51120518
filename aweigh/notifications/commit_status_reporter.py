"""Reports to GitHub how deployments stand, as commit statuses."""

from collections.abc import Callable
from dataclasses import dataclass

from aweigh.core.errors import NotFound
from aweigh.deployments.deployment import DeploymentState
from aweigh.deployments.repository import Credentials
from aweigh.deployments.source import GitSource
from aweigh.deployments.workflow_ids import deployment_workflow_id
from aweigh.github.app import GitHub
from aweigh.github.commit_status import CommitStatus, commit_status
from aweigh.store import deployments
from aweigh.store.database import Store


@dataclass(frozen=True, kw_only=True)
class _Report:
    """A commit status and its destination."""

    repository: str
    commit: str
    credentials: Credentials
    status: CommitStatus


class StatusReporter:
    """`page` gives the address of a workflow's page for people."""

    def __init__(self, store: Store, github: GitHub, page: Callable[[str], str]) -> None:
        self._store = store
        self._github = github
        self._page = page

    async def report(self, deployment_id: str) -> str:
        """Set the commit status of a deployment; return what was set.

        The status is set again until it matches the record: of two concurrent calls, the later
        answer may carry the older state.

        Raises:
            Refused: the credentials do not allow it.
            Unavailable: GitHub does not answer, or limits the rate of calls.
        """
        sent = None
        while (current := await self._current(deployment_id)) and current != sent:
            await self._github.set_status(
                current.credentials, current.repository, current.commit, current.status
            )
            sent = current
        return f"{sent.status.state} at {sent.repository}" if sent else "there is nothing to report"

    async def _current(self, deployment_id: str) -> _Report | None:
        """None if nothing can be reported: no record, commit or credentials, or another host."""
        try:
            async with self._store.read() as tx:
                row = await deployments.find_row(tx, deployment_id)
                release = await deployments.release_of(tx, row)
        except NotFound:
            return None  # its record was deleted; GitHub keeps what it was told last
        source = release.settings.source
        if not isinstance(source, GitSource) or not source.credentials or not release.commit:
            return None
        if not self._github.is_home_of(source.repository):
            return None
        return _Report(
            repository=source.repository,
            commit=release.commit,
            credentials=source.credentials,
            status=commit_status(
                DeploymentState(row.state), row.reason, row.message, slug=release.slug,
                url=self._page(deployment_workflow_id(release.slug, row.sequence, row.id)),
            ),
        )  # fmt: skip
