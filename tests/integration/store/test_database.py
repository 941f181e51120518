"""Transactions: all or nothing, and an answer where the database is locked or gone."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, select

from aweigh.core.errors import Invalid, Unavailable
from aweigh.store.database import Store
from aweigh.store.migrate import migrate
from aweigh.store.tables import MetaRow
from tests.support.installation import MIGRATED_KEYS, Databases, open_store
from tests.support.postgres import Postgres


async def put(store: Store, key: str, value: str = "x") -> None:
    async with store.write() as tx:
        tx.session.add(MetaRow(key=key, value=value))


async def keys(store: Store) -> set[str]:
    async with store.read() as tx:
        return set(await tx.session.scalars(select(MetaRow.key))) - MIGRATED_KEYS


async def test_what_is_written_can_be_read(store: Store) -> None:
    await put(store, "one")

    assert await keys(store) == {"one"}


async def test_an_error_undoes_the_whole_block(store: Store) -> None:
    async def put_two() -> None:
        async with store.write() as tx:
            tx.session.add(MetaRow(key="one", value="x"))
            await tx.session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await put_two()

    assert await keys(store) == set()


async def test_a_cancel_undoes_the_whole_block_and_lets_the_next_one_in(store: Store) -> None:
    written = asyncio.Event()

    async def put_and_wait() -> None:
        async with store.write() as tx:
            tx.session.add(MetaRow(key="one", value="x"))
            await tx.session.flush()
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(put_and_wait())
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await put(store, "two")
    assert await keys(store) == {"two"}


async def test_a_reader_keeps_nothing(store: Store) -> None:
    async with store.read() as tx:
        tx.session.add(MetaRow(key="one", value="x"))
        await tx.session.flush()

    assert await keys(store) == set()


async def test_a_reader_sees_one_moment(store: Store) -> None:
    async with store.read() as tx:
        await tx.session.scalars(select(MetaRow.key))
        await put(store, "one")

        seen = set(await tx.session.scalars(select(MetaRow.key)))

    assert seen == MIGRATED_KEYS


async def test_many_writers_at_once_all_get_their_turn(store: Store) -> None:
    await asyncio.gather(*(put(store, f"key-{number}") for number in range(50)))

    assert len(await keys(store)) == 50


async def test_many_readers_at_once_all_get_their_turn(store: Store) -> None:
    seen = await asyncio.gather(*(keys(store) for _ in range(50)))

    assert seen == [set()] * 50


async def test_text_that_cannot_be_encoded_is_the_callers_fault(store: Store) -> None:
    with pytest.raises(Invalid, match="characters that cannot be stored"):
        await put(store, "one", "\ud800")


async def test_text_that_postgresql_does_not_take_is_the_callers_fault(
    postgres_databases: Databases,
) -> None:
    async with open_store(postgres_databases.new()) as store:
        with pytest.raises(Invalid, match="characters that cannot be stored"):
            await put(store, "one", "\0")


@pytest.fixture
def file(sqlite_databases: Databases) -> Path:
    """A migrated SQLite database."""
    return Path(make_url(sqlite_databases.new()).database or "")


@pytest.fixture
async def sqlite(file: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite+aiosqlite:///{file}", patience=0.2) as opened:
        yield opened


def remove(file: Path) -> None:
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()


async def test_a_file_that_was_deleted_is_unavailable(sqlite: Store, file: Path) -> None:
    await put(sqlite, "one")
    remove(file)

    with pytest.raises(Unavailable, match=r"^the database does not answer$"):
        await put(sqlite, "two")
    with pytest.raises(Unavailable, match=r"^the database does not answer$"):
        await keys(sqlite)
    assert not file.exists()


@pytest.mark.parametrize("flushed", [True, False])
@pytest.mark.parametrize("whole", [True, False], ids=["with its log", "alone"])
async def test_a_file_that_is_deleted_during_a_write_is_told_before_the_answer(
    sqlite: Store, file: Path, flushed: bool, whole: bool
) -> None:
    async def put_without_a_file() -> None:
        async with sqlite.write() as tx:
            tx.session.add(MetaRow(key="one", value="x"))
            if flushed:
                await tx.session.flush()
            remove(file) if whole else file.unlink()

    with pytest.raises(Unavailable):
        await put_without_a_file()


async def test_a_file_that_comes_back_is_used_again_as_it_is(sqlite: Store, file: Path) -> None:
    backup = file.read_bytes()
    await put(sqlite, "one")
    remove(file)
    with pytest.raises(Unavailable):
        await put(sqlite, "two")

    file.write_bytes(backup)

    await put(sqlite, "three")
    assert await keys(sqlite) == {"three"}


async def test_a_locked_file_is_unavailable_and_nothing_is_half_written(
    sqlite: Store, file: Path
) -> None:
    await put(sqlite, "one")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable):
        await put(sqlite, "two")
    other.execute("ROLLBACK")
    other.close()

    assert await keys(sqlite) == {"one"}


async def test_nobody_waits_behind_all_the_others_for_a_locked_file(
    sqlite: Store, file: Path
) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async with asyncio.timeout(20):  # a hundred times 0.2 s, one after the other
        ends = await asyncio.gather(
            *(put(sqlite, f"key-{number}") for number in range(100)), return_exceptions=True
        )
    other.close()

    assert [type(end) for end in ends] == [Unavailable] * 100
    await put(sqlite, "later")
    assert await keys(sqlite) == {"later"}


async def test_a_locked_file_can_still_be_read(sqlite: Store, file: Path) -> None:
    await put(sqlite, "one")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert await keys(sqlite) == {"one"}
    other.close()


async def test_a_file_that_is_not_a_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "aweigh.db"
    path.write_text("not a database, but long enough to look like one" * 100)

    async with open_store(f"sqlite+aiosqlite:///{path}") as store:
        with pytest.raises(Unavailable):
            await keys(store)


@pytest.mark.parametrize("name", ["plain", "with space", "50%", "hash#tag", "ü"])
async def test_a_data_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir()

    url = f"sqlite+aiosqlite:///{directory}/aweigh.db"
    await migrate(url)
    async with open_store(url) as store:
        await put(store, "one")
        assert await keys(store) == {"one"}

    assert [path.name for path in directory.iterdir()] == ["aweigh.db"]


async def test_a_new_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "aweigh.db"

    await migrate(f"sqlite+aiosqlite:///{path}")
    async with open_store(f"sqlite+aiosqlite:///{path}") as store:
        await put(store, "one")

        assert {one.stat().st_mode & 0o777 for one in tmp_path.glob("aweigh.db*")} == {0o600}


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with open_store("postgresql+psycopg://postgres@127.0.0.1:1/none") as store:
        with pytest.raises(Unavailable, match=r"^the database does not answer$"):
            await keys(store)


async def test_connections_that_were_cut_are_made_anew(
    postgres: Postgres, postgres_databases: Databases
) -> None:
    async with open_store(postgres_databases.new()) as store:
        await put(store, "one")
        postgres.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'migrated'"
        )

        assert await keys(store) == {"one"}


async def test_a_connection_that_is_cut_during_a_write_leaves_nothing(
    postgres: Postgres, postgres_databases: Databases
) -> None:
    async with open_store(postgres_databases.new()) as store:

        async def put_and_cut() -> None:
            async with store.write() as tx:
                tx.session.add(MetaRow(key="one", value="x"))
                await tx.session.flush()
                postgres.cut("migrated")

        with pytest.raises(Unavailable):
            await put_and_cut()
        assert await keys(store) == set()
