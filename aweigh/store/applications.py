"""Applications: their settings, their secrets and their deploy hooks."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import set_committed_value

from aweigh.core import grammar
from aweigh.core.errors import BAD_DATA, Conflict, NotFound
from aweigh.core.ids import new_id, new_secret
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.repository import repository_key
from aweigh.deployments.source import GitSource
from aweigh.secrets.error_text import said_by
from aweigh.secrets.vault import SealOwner
from aweigh.store import claims, releases
from aweigh.store.database import Transaction, locking
from aweigh.store.tables import ApplicationRow

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
    """An application with its settings, opened."""

    row: ApplicationRow
    settings: ApplicationSettings

    @property
    def removing(self) -> bool:
        return self.row.removal_sequence is not None


def seal_settings(tx: Transaction, row: ApplicationRow, settings: ApplicationSettings) -> None:
    owner = SealOwner(kind=_SETTINGS, id=row.id)
    row.settings = tx.vault.seal(owner, releases.settings_text(settings))
    row.claims = claims.text_of(settings)
    source = settings.source
    repository = repository_key(source.repository) if isinstance(source, GitSource) else None
    if repository != row.repository:
        row.repository, row.repository_id = repository, None
    if not (isinstance(source, GitSource) and source.auto_deploy):
        row.branch_poll = None  # pushes before it follows a branch again are not to be deployed
    row.updated_at = tx.now


def opened(tx: Transaction, row: ApplicationRow) -> Application:
    """Return an application, removed or not, with its settings.

    Raises:
        Unreadable
    """
    text = tx.vault.open(SealOwner(kind=_SETTINGS, id=row.id), row.settings)
    return Application(row=row, settings=releases.settings_in(text, row.slug))


def secret_of(tx: Transaction, row: ApplicationRow) -> str:
    return tx.vault.open(SealOwner(kind=_SECRET, id=row.id), row.secret)


def webhook_secret_of(tx: Transaction, row: ApplicationRow) -> str | None:
    """None for an application that is older than webhooks; a rotation makes one."""
    if not row.webhook_secret:
        return None
    return tx.vault.open(SealOwner(kind=_WEBHOOK, id=row.id), row.webhook_secret)


async def create(
    tx: Transaction, *, name: str, server: str, settings: ApplicationSettings, slug: str = ""
) -> Application:
    """Create an application with a new hook and secrets; the slug defaults to one of its name.

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
    except IntegrityError as error:  # two concurrent callers: the database decides
        raise Conflict(f"the slug {slug!r} was just taken by another application") from error
    await claims.take(tx, row, settings)
    return Application(row=row, settings=settings)


async def next_sequence(tx: Transaction, row: ApplicationRow) -> int:
    """Take the next sequence for a deployment or a removal; the caller holds the row's lock."""
    sequence = row.last_sequence + 1
    # A separate statement costs less than the session's search for changes.
    await tx.session.execute(_COUNT_ON, {"application": row.id, "sequence": sequence})
    set_committed_value(row, "last_sequence", sequence)
    return sequence


def rotate_secret(tx: Transaction, row: ApplicationRow) -> None:
    """Replace deploy hook and secrets; the old ones stop working with this transaction."""
    row.hook = new_secret("hook")
    row.webhook_secret = tx.vault.seal(SealOwner(kind=_WEBHOOK, id=row.id), new_secret("awws"))
    row.secret = tx.vault.seal(SealOwner(kind=_SECRET, id=row.id), new_secret("awds"))


def reseal(tx: Transaction, row: ApplicationRow) -> None:
    """Seal all its secrets again, with the current key."""
    for kind, column in _SEALED:
        owner, sealed = SealOwner(kind=kind, id=row.id), getattr(row, column)
        if sealed:
            setattr(row, column, tx.vault.seal(owner, tx.vault.open(owner, sealed)))


async def find(tx: Transaction, id_or_slug: str, *, lock: bool = False) -> Application:
    """Raises: NotFound, Unreadable."""
    return opened(tx, await find_row(tx, id_or_slug, lock=lock))


async def find_row(
    tx: Transaction, id_or_slug: str, *, lock: bool = False, or_removed: bool = False
) -> ApplicationRow:
    """Return an application's row; its settings may be unreadable.

    Raises:
        NotFound
    """
    row = None
    is_id = grammar.matches(grammar.ENTITY_ID, id_or_slug)
    if is_id or grammar.matches(grammar.KNOWN_SLUG, id_or_slug):
        column = ApplicationRow.id if is_id else ApplicationRow.slug
        query = select(ApplicationRow).where(column == id_or_slug)
        if not or_removed:
            query = query.where(ApplicationRow.removed_at.is_(None))
        row = await (tx.locked(query) if lock else tx.session.scalar(query))
    if row is None:
        raise NotFound(f"there is no application {id_or_slug!r}")
    return row


def readable(tx: Transaction, rows: Iterable[ApplicationRow]) -> list[Application]:
    """Return the applications whose settings can be read; log and skip the others."""
    found = []
    for row in rows:
        try:
            found.append(opened(tx, row))
        except BAD_DATA as error:
            _log.error("the settings of an application cannot be read", application=row.id,
                       error=said_by(error, masks=False))  # fmt: skip
    return found


async def locked_row(tx: Transaction, application_id: str) -> ApplicationRow:
    """Return an application's row, removed or not, locked until the transaction ends."""
    row = await tx.locked(select(ApplicationRow).where(ApplicationRow.id == application_id))
    if row is None:
        raise NotFound(f"there is no application {application_id!r}")
    return row


async def find_by_hook(
    tx: Transaction, hook: str, secret: str, *, lock: bool = False
) -> Application:
    """Return the application of a deploy hook.

    Raises:
        NotFound: there is no such hook with this secret.
        Unreadable: its secret or its settings.
    """
    return opened(tx, await check_hook(tx, hook, secret, lock=lock))


async def check_hook(
    tx: Transaction, hook: str, secret: str, *, lock: bool = False
) -> ApplicationRow:
    """Return the row of a deploy hook; an unknown hook and a wrong secret cost and say the same.

    Raises:
        NotFound: there is no such hook with this secret.
        Unreadable: its secret.
    """
    asked = hook if grammar.matches(grammar.HOOK, hook) else ""
    row = await tx.session.scalar(_BY_HOOK_LOCKED if lock else _BY_HOOK, {"hook": asked})
    known = secret_of(tx, row) if row else tx.vault.open_decoy()
    if not hmac.compare_digest(known.encode(), secret.encode()) or row is None:
        raise NotFound("unknown deploy hook, or wrong deploy secret")
    return row


async def lock(tx: Transaction, known: Application) -> Application:
    """Return an application that was read before, now locked.

    Its settings are opened again only if they have changed.

    Raises:
        NotFound
        Unreadable
    """
    row = await find_row(tx, known.row.id, lock=True)
    if row.settings == known.row.settings:
        return Application(row=row, settings=known.settings)
    return opened(tx, row)


async def page(tx: Transaction, *, after: str | None, limit: int) -> list[ApplicationRow]:
    query = select(ApplicationRow).where(ApplicationRow.removed_at.is_(None))
    if after:
        query = query.where(ApplicationRow.id > after)
    return list(await tx.session.scalars(query.order_by(ApplicationRow.id).limit(limit)))


async def change(tx: Transaction, application: Application, settings: ApplicationSettings) -> None:
    """Raises: Conflict."""
    if application.removing:
        raise Conflict(f"{application.row.slug} cannot be changed: it is being removed")
    seal_settings(tx, application.row, settings)
    await claims.take(tx, application.row, settings)
    await claims.settle(tx, application.row)
