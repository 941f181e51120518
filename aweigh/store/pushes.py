"""Pushes: the applications that a delivery concerns, and what becomes of it in each."""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from sqlalchemy import or_, select

from aweigh.deployments.branch_poll import BranchPoll
from aweigh.deployments.deployment import Trigger
from aweigh.deployments.repository import AppInstallation
from aweigh.deployments.source import GitSource
from aweigh.github.push import NewestPush, Push, RepositoryEvent, why_ignored
from aweigh.store import admission, applications, idempotency
from aweigh.store.admission import Order
from aweigh.store.applications import Application
from aweigh.store.database import Transaction
from aweigh.store.idempotency import Key
from aweigh.store.tables import ApplicationRow


@dataclass(frozen=True, kw_only=True)
class PushOutcome:
    """What an application made of a push: a deployment, or none and why."""

    slug: str
    deployment: str | None = None
    why_ignored: str | None = None


async def followers(tx: Transaction, events: Iterable[RepositoryEvent]) -> list[ApplicationRow]:
    """Return the applications of the events' repositories, each once."""
    found = {row.id: row for event in events for row in await _followers(tx, event)}
    return list(found.values())


async def of_repository(
    tx: Transaction, event: RepositoryEvent, application_ids: Container[str]
) -> list[Application]:
    """Return those of the given applications that are built from the event's repository.

    Only the given ones: applications of one repository may have several owners.
    """
    rows = await _followers(tx, event)
    return applications.readable(tx, (row for row in rows if row.id in application_ids))


async def of_installation(tx: Transaction, event: RepositoryEvent) -> list[Application]:
    """Return the applications that use the App's installation that the event names."""
    found = applications.readable(tx, await _followers(tx, event))
    return [one for one in found if event.installation and _is_read_by(event.installation.id, one)]


def _is_read_by(installation: int, application: Application) -> bool:
    source = application.settings.source
    credentials = source.credentials if isinstance(source, GitSource) else None
    return isinstance(credentials, AppInstallation) and credentials.installation == installation


async def _followers(tx: Transaction, event: RepositoryEvent) -> list[ApplicationRow]:
    """Find by the repository's name, or by its id from a delivery before a rename."""
    repository = event.repository
    known = ApplicationRow.repository == repository.key
    if repository.identity:
        known = or_(known, ApplicationRow.repository_id == repository.identity)
    query = select(ApplicationRow).where(known, ApplicationRow.removed_at.is_(None))
    return list(await tx.session.scalars(query.order_by(ApplicationRow.id)))


async def remember_repository(tx: Transaction, application_id: str, event: RepositoryEvent) -> None:
    """Store the repository's id from a delivery signed with a secret of the application."""
    row = await applications.find_row(tx, application_id, lock=True)
    row.repository_id = event.repository.identity or row.repository_id


async def take(tx: Transaction, known: Application, push: Push, key: Key) -> PushOutcome:
    """Deploy the pushed commit once, however often the delivery arrives.

    Raises:
        Invalid: the delivery's id was used before with another body.
    """
    application = await applications.lock(tx, known)
    row, source = application.row, application.settings.source
    row.repository_id = push.repository.identity or row.repository_id
    if made_before := await idempotency.find(tx, row.id, key):
        return PushOutcome(slug=row.slug, deployment=made_before)
    if application.removing or not isinstance(source, GitSource):
        return PushOutcome(slug=row.slug, why_ignored="the application no longer has a repository")
    poll = BranchPoll.read(row.branch_poll, source) if push.tag is None else None
    if poll and poll.deployed == push.commit:
        return PushOutcome(
            slug=row.slug, why_ignored="a poll of the branch has deployed this commit"
        )
    newest = NewestPush.model_validate_json(row.newest_push) if row.newest_push else None
    if why := why_ignored(push, source, newest, skips=push.skips):
        return PushOutcome(slug=row.slug, why_ignored=why)
    if poll:
        row.branch_poll = poll.settle(push.commit).model_dump_json()
    row.newest_push = NewestPush.of(push, tx.now).model_dump_json()
    trigger = Trigger.PUSH if push.tag is None else Trigger.TAG
    actor = push.pusher.name or "push"
    order = Order(
        trigger=trigger, actor=actor, tag=push.tag,
        commit=push.commit, commit_subject=push.subject,
    )  # fmt: skip
    made = await admission.admit_once(tx, application, order, key)
    return PushOutcome(slug=row.slug, deployment=made.id)
