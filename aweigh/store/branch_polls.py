"""Branch polls: what a server worker needs for one, and what becomes of the head it found."""

from datetime import timedelta
from typing import Final

from sqlalchemy import func, select

from aweigh.contract import BranchHead, PolledBranch
from aweigh.core.errors import NotFound
from aweigh.deployments.branch_poll import BranchPoll
from aweigh.deployments.build_settings import Buildpacks
from aweigh.deployments.deployment import OPEN, Trigger
from aweigh.deployments.source import GitSource
from aweigh.github.push import Commit, NewestPush, Push, Repository, why_ignored
from aweigh.store import admission, applications
from aweigh.store.admission import Order
from aweigh.store.applications import Application
from aweigh.store.database import Transaction
from aweigh.store.pushes import PushOutcome
from aweigh.store.tables import ApplicationRow, DeploymentRow, ReleaseRow

#: How far GitHub's clock, which orders pushes, may lag behind this one.
_CLOCK_SKEW: Final = timedelta(seconds=10)
_NO_COMMIT: Final = "0" * 40


async def followers(tx: Transaction, server: str) -> list[str]:
    """Return the ids of a server's applications that are built from a repository."""
    query = select(ApplicationRow.id).where(
        ApplicationRow.server == server, ApplicationRow.repository.is_not(None),
        ApplicationRow.removed_at.is_(None), ApplicationRow.removal_sequence.is_(None),
    )  # fmt: skip
    return list(await tx.session.scalars(query.order_by(ApplicationRow.id)))


async def branch(tx: Transaction, server: str, application_id: str) -> PolledBranch:
    """Return what a poll of the application's branch needs, with the source's secrets.

    Raises:
        NotFound: the application follows no branch, or has an open deployment.
    """
    application, source = await _follower(tx, server, application_id)
    row = application.row
    if await _has_open_deployment(tx, row):
        raise NotFound(f"{row.slug} has an open deployment; the next poll finds the branch")
    poll = BranchPoll.read(row.branch_poll, source)
    since = await _commits(tx, row, since=await newest_followed(tx, row, poll))
    return PolledBranch(
        source=source.model_copy(update={"build": Buildpacks()}),  # without the build's secrets
        sequence=row.last_sequence,
        known=(poll.settled, *poll.deleted, *since) if poll else (),
        before=poll.settled if poll else None,
        asked_at=tx.now,
    )


async def take(tx: Transaction, server: str, application_id: str, head: BranchHead) -> PushOutcome:
    """Deploy a head that no delivery named, unless the application has changed since the poll.

    Raises:
        NotFound: the application follows no branch any more.
    """
    application, source = await _follower(tx, server, application_id, lock=True)
    row = application.row
    seen = (head.repository, head.branch, head.sequence)
    if seen != (source.repository, source.branch, row.last_sequence):
        return PushOutcome(slug=row.slug, why_ignored="the application has changed since the poll")
    poll = BranchPoll.read(row.branch_poll, source)
    if poll is None:
        row.branch_poll = BranchPoll.first(source, head.commit).model_dump_json()
        return PushOutcome(
            slug=row.slug, why_ignored="the first poll found the branch at this commit"
        )
    why = why_ignored(_as_push(head), source, None, skips=head.skips)
    moved = poll.settle(head.commit, deployed=poll.deployed if why else head.commit)
    row.branch_poll = moved.model_dump_json()
    if why:
        return PushOutcome(slug=row.slug, why_ignored=why)
    row.newest_push = _newest(row, head)
    order = Order(
        trigger=Trigger.POLL, actor="poll", commit=head.commit, commit_subject=head.subject
    )
    made = await admission.admit(tx, application, order)
    return PushOutcome(slug=row.slug, deployment=made.id)


def _newest(row: ApplicationRow, head: BranchHead) -> str | None:
    """A late delivery of a push before the poll must not replace this head."""
    known = NewestPush.model_validate_json(row.newest_push) if row.newest_push else None
    at = head.asked_at - _CLOCK_SKEW if head.asked_at else None
    if at is None or (known and known.pushed_at > at):
        return row.newest_push
    before = head.before or _NO_COMMIT
    return NewestPush(pushed_at=at, before=before, after=head.commit).model_dump_json()


async def _follower(
    tx: Transaction, server: str, application_id: str, *, lock: bool = False
) -> tuple[Application, GitSource]:
    """Raises: NotFound: the application follows no branch on this server."""
    application = await applications.find(tx, application_id, lock=lock)
    source = application.settings.source
    follows = isinstance(source, GitSource) and source.auto_deploy and not application.removing
    if not isinstance(source, GitSource) or not follows or application.row.server != server:
        raise NotFound(f"{application_id} follows no branch on server {server}")
    return application, source


async def _has_open_deployment(tx: Transaction, row: ApplicationRow) -> bool:
    query = select(DeploymentRow.id).where(
        DeploymentRow.application_id == row.id, DeploymentRow.state.in_(OPEN)
    )
    return await tx.session.scalar(query.limit(1)) is not None


async def remember_deleted(
    tx: Transaction, row: ApplicationRow, deployment: DeploymentRow, commit: str | None
) -> None:
    """Let a poll know of a deployment that is being deleted; its row is still there."""
    poll = BranchPoll.model_validate_json(row.branch_poll) if row.branch_poll else None
    if poll is None:
        return  # the first poll deploys nothing
    newest = await newest_followed(tx, row, poll)
    if deployment.sequence >= newest:
        row.branch_poll = poll.without_record(commit, newest).model_dump_json()


async def newest_followed(tx: Transaction, row: ApplicationRow, poll: BranchPoll | None) -> int:
    """Return the sequence of the newest deployment by a push or a poll; 0 if there was none."""
    query = select(func.max(DeploymentRow.sequence)).where(
        DeploymentRow.application_id == row.id,
        DeploymentRow.trigger.in_((Trigger.PUSH, Trigger.POLL)),
    )
    return max(await tx.session.scalar(query) or 0, poll.followed if poll else 0)


async def _commits(tx: Transaction, row: ApplicationRow, *, since: int) -> list[str]:
    """Return the commits of the deployments from one sequence on, whatever their trigger."""
    query = select(ReleaseRow.commit).join(DeploymentRow, DeploymentRow.release_id == ReleaseRow.id)
    query = query.where(
        DeploymentRow.application_id == row.id, DeploymentRow.sequence >= since,
        ReleaseRow.commit.is_not(None),
    )  # fmt: skip
    return [commit for commit in await tx.session.scalars(query.distinct()) if commit]


def _as_push(head: BranchHead) -> Push:
    paths = head.paths or ()
    changes = () if head.paths is None else (Commit(modified=paths),)
    return Push(
        repository=Repository(clone_url=head.repository),
        ref=f"refs/heads/{head.branch}",
        before=head.before or _NO_COMMIT,
        after=head.commit,
        commits=changes,
    )
