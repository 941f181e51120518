"""What an installation keeps is made where it can be; where not, one sentence says why."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from aweigh.core.errors import StartupError
from aweigh.core.settings import Settings
from tests.support.command_line import aweigh
from tests.support.ports import free_ports
from worker.installation import install


def _elsewhere(data: Path) -> Settings:
    return Settings(data=data, database_url=f"sqlite+aiosqlite:///{data}/missing/a.db")


def _away(data: Path) -> Settings:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    return Settings(data=data, database_url=f"postgresql+psycopg://u:secret@{address}/a")


def _text(data: Path) -> Settings:
    (data / "a.db").write_text("this is not a database, and never was one " * 100)
    return Settings(data=data, database_url=f"sqlite+aiosqlite:///{data}/a.db")


def _newer(data: Path) -> Settings:
    with sqlite3.connect(data / "a.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999_later')")
    connection.close()
    return Settings(data=data, database_url=f"sqlite+aiosqlite:///{data}/a.db")


def _file(data: Path) -> Settings:
    (data / "file").touch()
    return Settings(data=data / "file")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (_elsewhere, "the database cannot be used: .*No such file or directory"),
        (_away, "the database cannot be used: .*Connection refused"),
        (_text, "the database cannot be used: file is not a database"),
        (_newer, "the database cannot be used: .*'9999_later'"),
        (_file, "cannot make the directory .*/file: File exists"),
    ],
)
async def test_what_cannot_be_installed_is_said_in_one_line(
    tmp_path: Path, given: Callable[[Path], Settings], sentence: str
) -> None:
    with pytest.raises(StartupError, match=sentence) as caught:
        await install(given(tmp_path))

    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_nobody_else_can_enter_what_is_kept(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "new" / "data")

    await install(settings)

    modes = {path.name: path.stat().st_mode & 0o777 for path in settings.data.rglob("*")}
    assert settings.data.stat().st_mode & 0o777 == modes.pop("tokens") == 0o700
    assert modes == dict.fromkeys(["keys", "aweigh.db", "admin", "server-local"], 0o600)


async def test_an_installation_that_is_made_again_stays_as_it_is(tmp_path: Path) -> None:
    first = await aweigh("install", AWEIGH_DATA=str(tmp_path))
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.suffix != ".db"
            and path.is_file()}  # fmt: skip

    again = await aweigh("install", AWEIGH_DATA=str(tmp_path))

    assert (first.code, again.code, again.output) == (0, 0, first.output), first.errors
    assert [line.split()[-1] for line in again.output.splitlines()] == [
        f"sqlite+aiosqlite:///{tmp_path}/aweigh.db", f"{tmp_path}/keys",
        f"{tmp_path}/tokens/admin", f"{tmp_path}/tokens/server-local",
    ]  # fmt: skip
    assert {path: path.read_bytes() for path in kept} == kept


async def test_a_process_without_an_installation_says_how_to_make_one(tmp_path: Path) -> None:
    ended = await aweigh("api", AWEIGH_DATA=str(tmp_path))

    assert ended.code == 3
    assert "`aweigh install`" in ended.errors


async def test_a_process_whose_database_is_away_may_be_started_again(tmp_path: Path) -> None:
    settings = _away(tmp_path)
    await install(Settings(data=tmp_path))

    ended = await aweigh(
        "api", AWEIGH_DATA=str(tmp_path), AWEIGH_DATABASE_URL=settings.database_url
    )

    assert ended.code == 1
    logged, told = ended.errors.splitlines()
    assert "Connection refused" in json.loads(logged)["error"]
    assert told == "aweigh: the database does not answer"
