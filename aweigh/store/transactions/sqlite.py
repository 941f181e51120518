"""SQLite's connections: each has a thread, and a statement is one way there and back.

aiosqlite goes there four times for a statement: for a cursor, to execute, to fetch, and to close.
That was two thirds of what a short transaction costs, and under load each way waits for its turn.
"""

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import aiosqlite


class _Cursor:
    """What SQLAlchemy asks of a cursor, answered from what the one visit brought back."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> Self:
        await self._run("execute", self, statement, parameters)
        return self

    async def executemany(self, statement: str, parameters: Any) -> Self:
        await self._run("executemany", self, statement, parameters)
        return self

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        pass

    def keep(self, cursor: sqlite3.Cursor) -> None:
        self.description = cursor.description
        self._rows = cursor.fetchall() if cursor.description else []
        self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid


class SqliteConnection(aiosqlite.Connection):
    """Runs statements in its own thread, or directly on the event loop while `at_once` is set.

    For a short statement, handing over to a thread and back costs more than the statement itself,
    and on a busy machine both hand-overs wait for a processor. Beginning and committing may wait
    for a lock or the disk, so they always run in the thread.
    """

    at_once = False

    def cursor(self) -> Any:
        in_thread = partial(self._execute, self._visit)
        return _Cursor(self._visit_at_once if self.at_once else in_thread)

    async def _visit_at_once(self, *what: Any) -> None:
        self._visit(*what)

    def _visit(self, method: str, kept: _Cursor, statement: str, parameters: Any) -> None:
        cursor = self._conn.cursor()
        try:
            getattr(cursor, method)(statement, parameters)
            kept.keep(cursor)
        finally:
            cursor.close()


def connect(database: str, **options: Any) -> aiosqlite.Connection:
    """To be awaited, as aiosqlite's own."""
    options = {**options, "check_same_thread": False}
    made = SqliteConnection(partial(sqlite3.connect, database, **options), 64)
    made._thread.daemon = True
    return made
