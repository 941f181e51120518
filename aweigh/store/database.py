"""Transactions on SQLite or PostgreSQL: the same code and the same migrations for both."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from sqlalchemy import Select, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    DisconnectionError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from aweigh.domain.errors import Invalid, Unavailable
from aweigh.store.vault import Vault

Row = TypeVar("Row")

#: Seconds that a writer waits for the SQLite lock before the call is answered with 503.
PATIENCE: Final = 5.0


@dataclass(frozen=True)
class Transaction:
    """One transaction: its session, its single point in time, and the key to sealed values."""

    session: AsyncSession
    vault: Vault
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def locked(self, query: Select[Row]) -> Row | None:
        """The row, held until the transaction ends, as it is by then.

        One that the session knows already would else be given as it was when it was first read.
        """
        fresh = query.with_for_update().execution_options(populate_existing=True)
        return await self.session.scalar(fresh)


class Store:
    """The database."""

    def __init__(self, url: str, vault: Vault, patience: float = PATIENCE) -> None:
        self.url = make_url(url)
        self._engine = _engine(self.url, patience)
        # One moment, however many questions; in SQLite every transaction sees one anyway.
        one_moment = {} if sqlite_path(self.url) else {"isolation_level": "REPEATABLE READ"}
        self._reader = self._engine.execution_options(**one_moment)
        self._vault = vault
        # SQLite's own waiting is neither fair nor cheap; within a process, writers queue here.
        self._writer = asyncio.Lock()
        self._patience = patience

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A consistent view; nothing done in it is kept.

        Raises:
            Unavailable: the database is locked or gone.
            Invalid: a value holds characters that a database does not take.
        """
        with _in_our_words():
            async with AsyncSession(self._reader, expire_on_commit=False) as session:
                yield Transaction(session, self._vault)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """All or nothing: committed at the end of the block, rolled back on any error.

        Raises:
            Unavailable: the database is locked or gone; nothing was written.
            Invalid: a value holds characters that a database does not take.
        """
        engine = self._engine.execution_options(write=True)
        with _in_our_words():
            async with (
                self._one_writer(),
                AsyncSession(engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield Transaction(session, self._vault)

    @asynccontextmanager
    async def _one_writer(self) -> AsyncIterator[None]:
        """Raises: Unavailable: others have held the database for too long."""
        if sqlite_path(self.url) is None:
            yield
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._writer.acquire()
        except TimeoutError as error:
            raise Unavailable("the database does not answer: others wait for it too") from error
        try:
            yield
        finally:
            self._writer.release()

    async def close(self) -> None:
        await self._engine.dispose()


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Turns "locked" and "gone" of either database into Unavailable."""
    try:
        yield
    except (DataError, UnicodeEncodeError) as error:
        raise Invalid("body", "holds characters that cannot be stored") from error
    except SQLAlchemyError as error:
        if not _is_absence(error):
            raise
        raise Unavailable(f"the database does not answer: {said_by(error)}") from error


def said_by(error: Exception) -> str:
    """What the database itself said, in one line and without the statement."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _is_absence(error: Exception) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    # A file that is no database (any more) is a plain DatabaseError, which others derive from.
    away = isinstance(error, OperationalError | DisconnectionError | PoolTimeout)
    return away or type(error) is DatabaseError


def sqlite_path(url: URL) -> str | None:
    """The file of an SQLite database; none for another kind."""
    return url.database if url.get_backend_name() == "sqlite" else None


def _engine(url: URL, patience: float) -> AsyncEngine:
    path = sqlite_path(url)
    if path is None:
        return create_async_engine(url, pool_pre_ping=True, hide_parameters=True)
    # mode=rw: a database file that has gone is an error, never a new and empty database.
    uri = url.set(database=f"file:{quote(path)}", query={"mode": "rw", "uri": "true"})
    engine = create_async_engine(uri, connect_args={"timeout": patience}, hide_parameters=True)
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
        # SQLite goes on writing into a file that was deleted; the pool then asks for a new
        # connection, which finds that there is none.
        _refuse_gone(path, record.info)

    @event.listens_for(sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE: a writer waits for the lock at the start, where nothing is half done.
        write = connection.get_execution_options().get("write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    @event.listens_for(sync_engine, "commit")
    def _commit(connection: Connection) -> None:
        # Nobody must be told that what stands in a deleted file was taken.
        _refuse_gone(path, connection.info)


def _refuse_gone(path: Path, info: Mapping[str, Any]) -> None:
    """Raises: DisconnectionError."""
    if not path.exists() or path.stat().st_ino != info["inode"]:
        raise DisconnectionError(f"{path} has gone")
