"""The migrations and the tables say the same."""

import asyncio
import importlib.util
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, Engine, create_engine, delete, inspect, make_url, select
from sqlalchemy.pool import NullPool

from aweigh.store import channels, dispatch
from aweigh.store.database import Store
from aweigh.store.migrate import migrate
from aweigh.store.tables import Base, ChannelRow, DeliveryRow, DomainClaim, MetaRow
from tests.support.channels import channel_of
from tests.support.installation import new_application, new_deployment


def _differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, Base.metadata))


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    name = parsed.drivername.replace("+aiosqlite", "")
    return create_engine(parsed.set(drivername=name), poolclass=NullPool)


def _run(url: str, name: str) -> None:
    """Run one migration by itself."""
    [path] = Path("aweigh/store/migrations/versions").glob(f"*_{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    migration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    with (
        _engine(url).begin() as connection,
        Operations.context(MigrationContext.configure(connection)),
    ):
        migration.upgrade()


def _look(url: str) -> tuple[list[object], set[str]]:
    with _engine(url).connect() as connection:
        return _differences(connection), set(inspect(connection).get_table_names())


async def test_migrations_make_exactly_the_tables(url: str) -> None:
    differences, tables = await asyncio.to_thread(_look, url)

    assert differences == []
    assert tables == {*Base.metadata.tables, "alembic_version"}


async def test_a_migration_that_is_repeated_changes_nothing(url: str, store: Store) -> None:
    await migrate(url)

    async with store.read() as tx:
        assert (await tx.session.get_one(MetaRow, "instance")).value == "0123456789abcdef"


async def test_claims_of_two_spellings_become_one(url: str, store: Store) -> None:
    shop, blog = await new_application(store, "shop"), await new_application(store, "blog")
    async with store.write() as tx:
        for host, path, holder in [
            ("a.b", "/", shop), ("a.b", "/x/", blog), ("a.b", "/x/y/", blog),
            ("c.d", "/x", shop), ("c.d", "/x/", blog),
        ]:  # fmt: skip
            claim = DomainClaim(server="local", host=host, path=path, application_id=holder)
            tx.session.add(claim)

    await asyncio.to_thread(_run, url, "path_claims")

    async with store.read() as tx:
        found = await tx.session.scalars(select(DomainClaim).order_by("host", "path"))
        held = [(one.host, one.path, one.application_id) for one in found]
    assert held == [("a.b", "/", shop), ("a.b", "/x", blog), ("a.b", "/x/y", blog),
                    ("c.d", "/x", shop)]  # fmt: skip


def _earlier(url: str) -> None:
    """Take the database back to the migration before."""
    with _engine(url).begin() as connection:
        for table in ("deliveries", "channels"):
            Base.metadata.tables[table].drop(connection)
        connection.execute(delete(MetaRow).where(MetaRow.key == "dispatched_events"))


async def test_events_from_before_channels_are_not_delivered(url: str, store: Store) -> None:
    application = await new_application(store)
    await new_deployment(store, application)
    await asyncio.to_thread(_earlier, url)

    for migration in ("channels", "deliveries"):
        await asyncio.to_thread(_run, url, migration)

    async with store.write() as tx:
        await channels.create(tx, channel_of())
        (await tx.session.scalars(select(ChannelRow))).one().since_event = 0
    await new_deployment(store, application)
    async with store.write() as tx:
        await dispatch.dispatch(tx)
        assert list(await tx.session.scalars(select(DeliveryRow.event_id))) == [2]
