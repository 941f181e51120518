"""Pushes: which applications a delivery speaks to, and what each makes of it."""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from sqlalchemy import or_, select

from aweigh.builds.source.repository import Installation
from aweigh.deployments.branch_poll import Look
from aweigh.deployments.deployment import Trigger
from aweigh.deployments.source import GitSource
from aweigh.github.push import Event, Newest, Push, why_ignored
from aweigh.store import admission, applications, idempotency
from aweigh.store.admission import Order
from aweigh.store.applications import Application
from aweigh.store.database import Transaction
from aweigh.store.idempotency import Key
from aweigh.store.tables import ApplicationRow


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What an application made of a push: a deployment, or none and why."""

    slug: str
    deployment: str | None = None
    why_ignored: str | None = None


async def followers(tx: Transaction, events: Iterable[Event]) -> list[ApplicationRow]:
    """The applications of the events' repositories, each once."""
    found = {row.id: row for event in events for row in await _followers(tx, event)}
    return list(found.values())


async def of_repository(
    tx: Transaction, event: Event, application_ids: Container[str]
) -> list[Application]:
    """Those of the applications that follow the event's repository.

    Nobody else's: a repository may have applications of several owners.
    """
    rows = await _followers(tx, event)
    return applications.readable(tx, (row for row in rows if row.id in application_ids))


async def of_installation(tx: Transaction, event: Event) -> list[Application]:
    """The applications whose repository is read by the installation that an App's event names."""
    found = applications.readable(tx, await _followers(tx, event))
    return [one for one in found if event.installation and _is_read_by(event.installation.id, one)]


def _is_read_by(installation: int, application: Application) -> bool:
    source = application.settings.source
    credentials = source.credentials if isinstance(source, GitSource) else None
    return isinstance(credentials, Installation) and credentials.installation == installation


async def _followers(tx: Transaction, event: Event) -> list[ApplicationRow]:
    """By its name, or by the id that a delivery told of before it was renamed."""
    told = event.repository
    known = ApplicationRow.repository == told.key
    if told.identity:
        known = or_(known, ApplicationRow.repository_id == told.identity)
    query = select(ApplicationRow).where(known, ApplicationRow.removed_at.is_(None))
    return list(await tx.session.scalars(query.order_by(ApplicationRow.id)))


async def remember(tx: Transaction, application_id: str, event: Event) -> None:
    """Know the repository by its id, which was signed with a secret of the application's."""
    application = await applications.find(tx, application_id, lock=True)
    application.row.repository_id = event.repository.identity or application.row.repository_id


async def take(tx: Transaction, application_id: str, push: Push, key: Key) -> Taken:
    """One deployment of the pushed commit, however often the delivery comes.

    Raises:
        Invalid: the delivery's id came before with another body.
    """
    application = await applications.find(tx, application_id, lock=True)
    row, source = application.row, application.settings.source
    row.repository_id = push.repository.identity or row.repository_id
    known = await idempotency.remembered(tx, row.id, key)
    if known:
        return Taken(slug=row.slug, deployment=known)
    if application.removing or not isinstance(source, GitSource):
        return Taken(slug=row.slug, why_ignored="it follows no repository any more")
    look = Look.read(row.branch_look, source) if push.tag is None else None
    if look and look.taken == push.commit:
        return Taken(slug=row.slug, why_ignored="a look at the branch took it already")
    newest = Newest.model_validate_json(row.newest_push) if row.newest_push else None
    if why := why_ignored(push, source, newest, skips=push.skips):
        return Taken(slug=row.slug, why_ignored=why)
    if look:
        row.branch_look = look.at(push.commit).model_dump_json()
    row.newest_push = Newest.of(push, tx.now).model_dump_json()
    trigger = Trigger.PUSH if push.tag is None else Trigger.TAG
    actor = push.pusher.name or "push"
    order = Order(trigger=trigger, actor=actor, tag=push.tag, commit=push.commit)
    made = await admission.admit_once(tx, application, order, key)
    return Taken(slug=row.slug, deployment=made.id)
