"""Transactions on SQLite or PostgreSQL: the same code and the same migrations for both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote

from sqlalchemy import Insert, Select, event, func, insert, select
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from aweigh.secrets.vault import Vault
from aweigh.store.tables import Base
from aweigh.store.transactions.concurrent_calls import ConcurrentCalls
from aweigh.store.transactions.errors import ErrorTranslator
from aweigh.store.transactions.group_commit import GroupCommit
from aweigh.store.transactions.sqlite import SqliteConnection, connect
from aweigh.store.transactions.write_lock import WriteLock

Row = TypeVar("Row")
T = TypeVar("T")

#: Seconds that a call waits for SQLite's write lock, or for a connection to PostgreSQL, before it
#: is answered with 503.
PATIENCE: Final = 5.0
#: Seconds after which a caller that can retry is answered with 503: together with the work before
#: and after, every call is answered within a second.
SOON: Final = 0.5
_PAUSE: Final = 0.005
#: Connections to PostgreSQL: half of them may admit calls; the others read, and write records.
_CONNECTIONS: Final = 16
_ADMISSIONS_AT_ONCE: Final = 8
#: Held while events are numbered and committed, on PostgreSQL; any number, the same for everyone.
_EVENT_LOCK: Final = select(func.pg_advisory_xact_lock(0x6177_6569))


@dataclass(frozen=True)
class Transaction:
    """One transaction: its session, its point in time, and the vault for sealed values."""

    session: AsyncSession
    vault: Vault
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    #: Events to be written at the end of the transaction.
    events: list[Base] = field(default_factory=list)

    async def locked(self, query: Select[Row]) -> Row | None:
        """Return the current row, locked until the transaction ends.

        The session would otherwise return a row that it knows as it was when first read.
        """
        return await self.session.scalar(locking(query))

    async def insert(self, *rows: Base) -> None:
        """Write new rows of one table now, at a fifth of the cost of the session's unit of work.

        The session does not track them: later changes to these objects are not written.
        """
        if rows:
            await self.session.execute(
                _insert_into(rows[0].__tablename__), [_columns(row) for row in rows]
            )


def locking(query: Select[Row]) -> Select[Row]:
    """Return the query for a row that is to be locked, with its current values."""
    return query.with_for_update().execution_options(populate_existing=True)


def _columns(row: Base) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


@cache
def _insert_into(table: str) -> Insert:
    # Cached: SQLAlchemy computes a statement's cache key once in the statement's life.
    return insert(Base.metadata.tables[table])


class Store:
    """The database."""

    def __init__(self, url: str, vault: Vault, patience: float = PATIENCE) -> None:
        self.url = make_url(url)
        self._engine = _engine(self.url, patience)
        # All statements of a reader see one snapshot; in SQLite they do so anyway.
        one_moment = {} if sqlite_path(self.url) else {"isolation_level": "REPEATABLE READ"}
        self._reader = self._engine.execution_options(**one_moment)
        self._vault = vault
        path = sqlite_path(self.url)
        self._write_lock = WriteLock(Path(path), patience) if path else None
        self._errors = ErrorTranslator()
        write = partial(self.write, urgent=True, short=True)
        self._admissions: GroupCommit[Transaction] | ConcurrentCalls[Transaction] = (
            GroupCommit(write, self._savepoint)
            if path
            else ConcurrentCalls(write, _ADMISSIONS_AT_ONCE)
        )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A consistent view; nothing written in it is kept.

        Raises:
            Unavailable: the database is locked or gone.
            Invalid: a value holds characters that a database does not accept.
        """
        with self._errors.translate():
            async with AsyncSession(self._reader, expire_on_commit=False) as session:
                yield Transaction(session, self._vault)

    @asynccontextmanager
    async def write(
        self, *, urgent: bool = False, short: bool = False
    ) -> AsyncIterator[Transaction]:
        """All or nothing: committed at the end of the block, rolled back on any error.

        An urgent transaction, for whose answer a caller waits, goes first. `short`: each of its
        statements reads or writes only a few rows by their keys.

        Raises:
            Unavailable: the database is locked or gone; nothing was written.
            Invalid: a value holds characters that a database does not accept.
        """
        engine = self._engine.execution_options(write=True, short=short)
        with self._errors.translate():
            async with (
                self._write_lock.hold(urgent=urgent) if self._write_lock else nullcontext(),
                AsyncSession(engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                tx = Transaction(session, self._vault)
                yield tx
                await self._write_events(tx)

    async def _write_events(self, tx: Transaction) -> None:
        """Number the events in the order of the commits: a reader who saw one misses none before.

        SQLite takes one writer at a time. On PostgreSQL, a transaction could take a lower number
        and commit later. The lock is the last one that a transaction takes, so nobody waits for
        each other.
        """
        if not tx.events:
            return
        await tx.session.flush()
        if self._write_lock is None:
            await tx.session.execute(_EVENT_LOCK)
        await tx.insert(*tx.events)

    async def admit(
        self, work: Callable[[Transaction], Awaitable[T]], *, patience: float = SOON
    ) -> T:
        """Write for a waiting caller, on SQLite in one commit with others; each fails alone.

        A call whose estimated wait exceeds `patience` is refused at once.

        Raises:
            Unavailable: the database is locked or gone, or too many calls wait; nothing was
                written.
            Invalid: a value holds characters that a database does not accept.
        """
        return await self._admissions.run(work, patience)

    @property
    def is_overloaded(self) -> bool:
        """Whether so many calls wait for their admission that another one would be refused."""
        return self._admissions.is_overloaded(SOON)

    def was_called(self, seconds: float) -> bool:
        """Whether a call for admission arrived within the last seconds."""
        return self._admissions.seconds_since_call < seconds

    @asynccontextmanager
    async def _savepoint(self, tx: Transaction) -> AsyncIterator[None]:
        """A part of a transaction that any error rolls back by itself."""
        recorded = len(tx.events)
        try:
            with self._errors.translate():
                async with tx.session.begin_nested():
                    yield
        except BaseException:
            del tx.events[recorded:]
            raise

    async def give_way(self, seconds: float) -> None:
        """Wait while calls are being admitted, but not for longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._admissions.is_busy:
                    await asyncio.sleep(_PAUSE)

    async def close(self) -> None:
        await self._engine.dispose()
        if self._write_lock:
            self._write_lock.close()


def sqlite_path(url: URL) -> str | None:
    """The file of an SQLite database; None for another kind."""
    return url.database if url.get_backend_name() == "sqlite" else None


def _engine(url: URL, patience: float) -> AsyncEngine:
    path = sqlite_path(url)
    if path is None:
        return create_async_engine(
            url, pool_pre_ping=True, hide_parameters=True, pool_size=_CONNECTIONS // 2,
            max_overflow=_CONNECTIONS // 2, pool_timeout=patience,
        )  # fmt: skip
    # mode=rw: a database file that has gone is an error, never a new and empty database.
    uri = url.set(database=f"file:{quote(path)}", query={"mode": "rw", "uri": "true"})
    options = {"timeout": patience, "async_creator_fn": connect}
    engine = create_async_engine(uri, connect_args=options, hide_parameters=True)
    _listen(engine, Path(path))
    return engine


def _listen(engine: AsyncEngine, path: Path) -> None:
    sync_engine = engine.sync_engine

    @event.listens_for(sync_engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # transactions begin below, not where sqlite3 guesses
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        record.info["inode"] = path.stat().st_ino

    @event.listens_for(sync_engine, "checkout")
    def _checkout(_connection: Any, record: Any, _proxy: Any) -> None:
        # SQLite keeps writing into a deleted file. The pool then opens a new connection, which
        # fails because the file is missing.
        _refuse_gone(path, record.info)

    @event.listens_for(sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE: a writer waits for the lock at the start, before it has written anything.
        options = connection.get_execution_options()
        driver = cast("SqliteConnection", connection.connection.driver_connection)
        driver.at_once = False
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("write") else "BEGIN")
        driver.at_once = bool(options.get("short"))

    @event.listens_for(sync_engine, "commit")
    def _commit(connection: Connection) -> None:
        # A commit into a deleted file must not be reported as a success.
        _refuse_gone(path, connection.info)


def _refuse_gone(path: Path, info: Mapping[str, Any]) -> None:
    """Raises: DisconnectionError."""
    if not path.exists() or path.stat().st_ino != info["inode"]:
        raise DisconnectionError(f"{path} has gone")
