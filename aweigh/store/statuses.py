"""What GitHub is told of a deployment."""

from collections.abc import Callable
from dataclasses import dataclass

from aweigh.builds.source.repository import Credentials
from aweigh.deployments.deployment import DeploymentState
from aweigh.deployments.source import GitSource
from aweigh.deployments.workflow_ids import deployment_workflow_id
from aweigh.github.app import GitHub
from aweigh.github.commit_status import CommitStatus, commit_status
from aweigh.store import deployments, releases
from aweigh.store.database import Store, Transaction
from aweigh.store.tables import ReleaseRow


@dataclass(frozen=True, kw_only=True)
class Told:
    """A status and where it goes."""

    repository: str
    commit: str
    credentials: Credentials
    status: CommitStatus


class Statuses:
    """Tells GitHub; `page` is where people look at a workflow."""

    def __init__(self, store: Store, github: GitHub, page: Callable[[str], str]) -> None:
        self._store = store
        self._github = github
        self._page = page

    async def tell(self, deployment_id: str) -> str:
        """Have GitHub show how the deployment stands; what was told.

        It is told again until what it shows is how things stand: of two that tell at a time, the
        later answer may be the older state.

        Raises:
            NotFound
            Refused: the credentials do not allow it.
            Unavailable: GitHub is away, or asked too often.
        """
        told = None
        while (now := await self._stands(deployment_id)) and now != told:
            await self._github.set_status(now.credentials, now.repository, now.commit, now.status)
            told = now
        return f"{told.status.state} at {told.repository}" if told else "there is nothing to tell"

    async def _stands(self, deployment_id: str) -> Told | None:
        async with self._store.read() as tx:
            found = await of(tx, deployment_id, self._page)
        return found if found and self._github.is_home_of(found.repository) else None


async def of(tx: Transaction, deployment_id: str, page: Callable[[str], str]) -> Told | None:
    """How a deployment stands now; None where nothing can be told: no commit, or no credentials.

    Raises:
        NotFound
    """
    deployment = await deployments.find(tx, deployment_id)
    row, slug = deployment.row, deployment.application.slug
    release = await tx.session.get_one(ReleaseRow, row.release_id)
    source = releases.settings_of(tx, release).source
    if not isinstance(source, GitSource) or not source.credentials or not release.commit:
        return None
    return Told(
        repository=source.repository,
        commit=release.commit,
        credentials=source.credentials,
        status=commit_status(
            DeploymentState(row.state), row.reason, row.message, slug=slug,
            url=page(deployment_workflow_id(slug, row.sequence, row.id)),
        ),
    )  # fmt: skip
