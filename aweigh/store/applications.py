"""Applications: their settings, what they claim on a server, and their end."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import set_committed_value

from aweigh.builds.source.repository import repository_key
from aweigh.contract import Removal
from aweigh.core import grammar
from aweigh.core.errors import BAD_DATA, Conflict, NotFound
from aweigh.core.ids import new_id, new_secret
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.deployment import EventKind
from aweigh.deployments.source import GitSource
from aweigh.secrets.error_text import said_by
from aweigh.secrets.vault import Owner
from aweigh.store import claims, outbox, releases
from aweigh.store.database import Transaction, locking
from aweigh.store.tables import ApplicationRow, EventRow

_log = structlog.get_logger(__name__)

_SETTINGS: Final = "applications.settings"
_WEBHOOK: Final = "applications.webhook_secret"
_SECRET: Final = "applications.secret"  # noqa: S105 (the column's name)


_BY_HOOK: Final = select(ApplicationRow).where(
    ApplicationRow.hook == bindparam("hook"), ApplicationRow.removed_at.is_(None)
)

_BY_HOOK_LOCKED: Final = locking(_BY_HOOK)
_TABLE: Final = ApplicationRow.metadata.tables[ApplicationRow.__tablename__]
_COUNT_ON: Final = (
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("application"))
    .values(last_sequence=bindparam("sequence"))
)

_SEALED: Final = (
    (_SETTINGS, "settings"), (_SECRET, "secret"), (_WEBHOOK, "webhook_secret"),
)  # fmt: skip


#: How many sealed values an application has.
SEALED_VALUES: Final = len(_SEALED)


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application as the doors work with it."""

    row: ApplicationRow
    settings: ApplicationSettings

    @property
    def removing(self) -> bool:
        return self.row.removal_sequence is not None


def seal_settings(tx: Transaction, row: ApplicationRow, settings: ApplicationSettings) -> None:
    owner = Owner(kind=_SETTINGS, id=row.id)
    row.settings = tx.vault.seal(owner, releases.settings_text(settings))
    source = settings.source
    repository = repository_key(source.repository) if isinstance(source, GitSource) else None
    if repository != row.repository:
        row.repository, row.repository_id = repository, None
    if not (isinstance(source, GitSource) and source.auto_deploy):
        row.branch_look = None  # what is pushed until it follows again was not meant to be deployed
    row.updated_at = tx.now


def _opened(tx: Transaction, row: ApplicationRow) -> Application:
    """Raises: Unreadable."""
    text = tx.vault.open(Owner(kind=_SETTINGS, id=row.id), row.settings)
    return Application(row=row, settings=releases.settings_in(text, row.slug))


def secret_of(tx: Transaction, row: ApplicationRow) -> str:
    return tx.vault.open(Owner(kind=_SECRET, id=row.id), row.secret)


def webhook_secret_of(tx: Transaction, row: ApplicationRow) -> str | None:
    """None for an application that is older than webhooks; a rotation gives it one."""
    if not row.webhook_secret:
        return None
    return tx.vault.open(Owner(kind=_WEBHOOK, id=row.id), row.webhook_secret)


async def create(
    tx: Transaction, *, name: str, server: str, settings: ApplicationSettings, slug: str = ""
) -> Application:
    """Make an application with a new hook and secret; without a slug its name gives one.

    Raises:
        Conflict: the slug, a domain or a host port is taken.
    """
    slug = slug or grammar.slug_of(name)
    if await tx.session.scalar(select(ApplicationRow.id).where(ApplicationRow.slug == slug)):
        raise Conflict(
            f"the slug {slug!r} is or was used by another application; choose another name, "
            "or give a `slug`"
        )
    row = ApplicationRow(
        id=new_id("app"), slug=slug, name=name, server=server, hook=new_secret("hook"),
        created_at=tx.now, updated_at=tx.now, last_sequence=0,
    )  # fmt: skip
    seal_settings(tx, row, settings)
    rotate_secret(tx, row)
    tx.session.add(row)
    try:
        await tx.session.flush()
    except IntegrityError as error:  # two callers at once: the database decides
        raise Conflict(f"the slug {slug!r} was just taken by another application") from error
    await claims.take(tx, row, settings)
    return Application(row=row, settings=settings)


async def next_sequence(tx: Transaction, row: ApplicationRow) -> int:
    """Take the next number for a deployment or a removal; the row is locked by whoever asks."""
    sequence = row.last_sequence + 1
    # By a statement of its own: finding out what has changed costs the session more than this.
    await tx.session.execute(_COUNT_ON, {"application": row.id, "sequence": sequence})
    set_committed_value(row, "last_sequence", sequence)
    return sequence


def rotate_secret(tx: Transaction, row: ApplicationRow) -> None:
    """A new deploy hook and new secrets; the old ones stop working with this transaction."""
    row.hook = new_secret("hook")
    row.webhook_secret = tx.vault.seal(Owner(kind=_WEBHOOK, id=row.id), new_secret("awws"))
    row.secret = tx.vault.seal(Owner(kind=_SECRET, id=row.id), new_secret("awds"))


def reseal(tx: Transaction, row: ApplicationRow) -> None:
    """Seal everything of it with the current key."""
    for kind, column in _SEALED:
        owner, sealed = Owner(kind=kind, id=row.id), getattr(row, column)
        if sealed:
            setattr(row, column, tx.vault.seal(owner, tx.vault.open(owner, sealed)))


async def settle(tx: Transaction, row: ApplicationRow) -> None:
    """Give up the claims that neither its settings nor its releases in use need.

    What is live keeps its routes until something else is, and what is in flight may be live next.
    """
    try:
        wanted = [_opened(tx, row).settings, *await releases.in_use(tx, row)]
    except BAD_DATA:
        return  # then they are kept: no end of a deployment may depend on this
    await claims.keep(tx, row, wanted)


async def find(tx: Transaction, id_or_slug: str, *, lock: bool = False) -> Application:
    """Raises: NotFound, Unreadable."""
    return _opened(tx, await find_row(tx, id_or_slug, lock=lock))


async def find_row(tx: Transaction, id_or_slug: str, *, lock: bool = False) -> ApplicationRow:
    """An application without its settings, which it may be impossible to read.

    Raises:
        NotFound
    """
    row = None
    is_id = grammar.matches(grammar.ENTITY_ID, id_or_slug)
    if is_id or grammar.matches(grammar.KNOWN_SLUG, id_or_slug):
        column = ApplicationRow.id if is_id else ApplicationRow.slug
        query = select(ApplicationRow).where(
            column == id_or_slug, ApplicationRow.removed_at.is_(None)
        )
        row = await (tx.locked(query) if lock else tx.session.scalar(query))
    if row is None:
        raise NotFound(f"there is no application {id_or_slug!r}")
    return row


def readable(tx: Transaction, rows: Iterable[ApplicationRow]) -> list[Application]:
    """Those whose settings can be read; one that cannot keeps nobody from the others."""
    found = []
    for row in rows:
        try:
            found.append(_opened(tx, row))
        except BAD_DATA as error:
            _log.error("an application's settings cannot be read", application=row.id,
                       error=said_by(error, masks=False))  # fmt: skip
    return found


async def locked_row(tx: Transaction, application_id: str) -> ApplicationRow:
    """An application's row, removed or not, held until the transaction ends."""
    row = await tx.locked(select(ApplicationRow).where(ApplicationRow.id == application_id))
    if row is None:
        raise NotFound(f"there is no application {application_id!r}")
    return row


async def find_by_hook(
    tx: Transaction, hook: str, secret: str, *, lock: bool = False
) -> Application:
    """The application behind a deploy hook.

    An unknown hook and a wrong secret cost and say the same.

    Raises:
        NotFound: there is no such hook with this secret.
        Unreadable: its secret, or its settings.
    """
    asked = hook if grammar.matches(grammar.HOOK, hook) else ""
    row = await tx.session.scalar(_BY_HOOK_LOCKED if lock else _BY_HOOK, {"hook": asked})
    known = secret_of(tx, row) if row else tx.vault.open_decoy()
    if not hmac.compare_digest(known.encode(), secret.encode()) or row is None:
        raise NotFound("there is no such deploy hook, or its secret is another one")
    return _opened(tx, row)


async def page(tx: Transaction, *, after: str | None, limit: int) -> list[ApplicationRow]:
    query = select(ApplicationRow).where(ApplicationRow.removed_at.is_(None))
    if after:
        query = query.where(ApplicationRow.id > after)
    return list(await tx.session.scalars(query.order_by(ApplicationRow.id).limit(limit)))


async def change(tx: Transaction, application: Application, settings: ApplicationSettings) -> None:
    """Raises: Conflict."""
    if application.removing:
        raise Conflict(f"{application.row.slug} is being removed")
    seal_settings(tx, application.row, settings)
    await claims.take(tx, application.row, settings)
    await settle(tx, application.row)


async def ask_removal(tx: Transaction, row: ApplicationRow, *, volumes: bool) -> None:
    """Take a sequence for the removal, which goes through the lane like a deployment."""
    row.removal_sequence = await next_sequence(tx, row)
    row.removal_volumes = volumes
    row.removal_message = None
    await outbox.put(tx, outbox.REMOVE, row.id)


async def open_removal(
    tx: Transaction, application_id: str, sequence: int | None
) -> ApplicationRow | None:
    """The application that this removal is still about, locked.

    None when it is gone already, or another removal was asked for since: that one's record counts.
    """
    row = await locked_row(tx, application_id)
    superseded = sequence is not None and sequence != row.removal_sequence
    return None if row.removed_at or superseded else row


async def asked_removal(tx: Transaction, server: str, application_id: str) -> Removal:
    """The removal of an application from a server that was asked for and is not done.

    Raises:
        NotFound
    """
    row = None
    if grammar.matches(grammar.ENTITY_ID, application_id):
        row = await tx.session.get(ApplicationRow, application_id)
    wanted = row and row.server == server and row.removed_at is None
    if row is None or not wanted or row.removal_sequence is None:
        raise NotFound(f"no removal of {application_id!r} is asked for on server {server}")
    return Removal(
        application=row.id, slug=row.slug, sequence=row.removal_sequence,
        volumes=row.removal_volumes,
    )  # fmt: skip


async def removed(tx: Transaction, application_id: str, sequence: int | None = None) -> None:
    """The removal is done on the server: free its claims; the slug stays used."""
    row = await open_removal(tx, application_id, sequence)
    if row is None:
        return
    row.removed_at = tx.now
    row.live = None
    await claims.give_up(tx, row.id)
    await outbox.close(tx, outbox.REMOVE, row.id)
    tx.session.add(EventRow(kind=EventKind.DELETED, application_id=row.id, at=tx.now))


async def removal_failed(
    tx: Transaction, application_id: str, message: str, sequence: int | None = None
) -> None:
    """The removal has ended without success; what was said of its end first stays said."""
    row = await open_removal(tx, application_id, sequence)
    if row is None or row.removal_message:
        return
    row.removal_message = message
    await outbox.close(tx, outbox.REMOVE, row.id)
