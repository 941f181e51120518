"""The migrations and the tables say the same."""

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, make_url
from sqlalchemy.pool import NullPool

from aweigh.store.database import Store
from aweigh.store.migrate import migrate
from aweigh.store.tables import Base, MetaRow


def _differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, Base.metadata))


def _look(url: str) -> tuple[list[object], set[str]]:
    parsed = make_url(url)
    engine = create_engine(
        parsed.set(drivername=parsed.drivername.replace("+aiosqlite", "")), poolclass=NullPool
    )
    with engine.connect() as connection:
        return _differences(connection), set(inspect(connection).get_table_names())


async def test_migrations_make_exactly_the_tables(url: str) -> None:
    differences, tables = await asyncio.to_thread(_look, url)

    assert differences == []
    assert tables == {*Base.metadata.tables, "alembic_version"}


async def test_a_migration_that_is_repeated_changes_nothing(url: str, store: Store) -> None:
    await migrate(url)

    async with store.read() as tx:
        assert (await tx.session.get_one(MetaRow, "instance")).value == "0123456789abcdef"
