"""Transactions on SQLite or PostgreSQL: the same code and the same migrations for both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from aweigh.domain.errors import Unavailable
from aweigh.store.vault import Vault

#: How long a writer waits for the SQLite lock before the call is answered with 503.
BUSY_TIMEOUT_MS: Final = 5_000


@dataclass(frozen=True)
class Transaction:
    """One transaction: its session, its single point in time, and the key to sealed values."""

    session: AsyncSession
    vault: Vault
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


class Store:
    """The database."""

    def __init__(self, url: str, vault: Vault) -> None:
        self._url = make_url(url)
        self._engine = _engine(self._url)
        self._vault = vault
        # SQLite's own waiting is neither fair nor cheap; within a process, writers queue here.
        self._writer = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A consistent view; nothing done in it is kept.

        Raises:
            Unavailable: the database is locked or gone.
        """
        with _as_unavailable():
            async with AsyncSession(self._engine, expire_on_commit=False) as session:
                yield Transaction(session, self._vault)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """All or nothing: committed at the end of the block, rolled back on any error.

        Raises:
            Unavailable: the database is locked or gone; nothing was written.
        """
        engine = self._engine.execution_options(write=True)
        with _as_unavailable():
            async with (
                self._one_writer(),
                AsyncSession(engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield Transaction(session, self._vault)

    def _one_writer(self) -> AbstractAsyncContextManager[None]:
        return self._writer if sqlite_path(self._url) else nullcontext()

    async def close(self) -> None:
        await self._engine.dispose()


class _as_unavailable:
    """Turns "locked" and "gone" of either database into Unavailable."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OperationalError | DisconnectionError):
            raise Unavailable(f"the database does not answer: {error.args[0]}") from error


def sqlite_path(url: URL) -> str | None:
    """The file of an SQLite database; none for another kind."""
    return url.database if url.get_backend_name() == "sqlite" else None


def _engine(url: URL) -> AsyncEngine:
    path = sqlite_path(url)
    if path is None:
        return create_async_engine(url, pool_pre_ping=True)
    # mode=rw: a database file that has gone is an error, never a new and empty database.
    uri = url.set(database=f"file:{path}", query={"mode": "rw", "uri": "true"})
    engine = create_async_engine(uri, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
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
        if not path.exists() or path.stat().st_ino != record.info["inode"]:
            raise DisconnectionError(f"{path} has gone")

    @event.listens_for(sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE: a writer waits for the lock at the start, where nothing is half done.
        write = connection.get_execution_options().get("write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
