"""Statements of an admission run on the event loop; calls that came in just now are known."""

import threading
from typing import cast

from sqlalchemy import text

from aweigh.store.database import Transaction
from aweigh.store.transactions.sqlite import SqliteConnection
from tests.support.installation import Databases, open_store


async def ran_in(tx: Transaction) -> int:
    """The thread in which a statement of this transaction runs."""
    raw = await (await tx.session.connection()).get_raw_connection()
    driver = cast("SqliteConnection", raw.driver_connection)
    await driver.create_function("ran_in", 0, threading.get_ident)
    return int(await tx.session.scalar(text("SELECT ran_in()")) or 0)


async def test_it_is_known_whether_calls_came_in_just_now(sqlite_databases: Databases) -> None:
    async def nothing(_: Transaction) -> None:
        pass

    async with open_store(sqlite_databases.new()) as store:
        before = store.was_called(3600)
        await store.admit(nothing)

        assert (before, store.was_called(3600), store.was_called(0)) == (False, True, False)


async def test_statements_of_an_admission_run_on_the_event_loop(
    sqlite_databases: Databases,
) -> None:
    async with open_store(sqlite_databases.new()) as store:
        admitted = await store.admit(ran_in)
        async with store.write() as tx:
            written = await ran_in(tx)
        async with store.read() as tx:
            read = await ran_in(tx)

    assert admitted == threading.get_ident()
    assert threading.get_ident() not in (written, read)
