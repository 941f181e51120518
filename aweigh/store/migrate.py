"""Migrations: the same ones for both databases."""

import asyncio
import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from aweigh.core.errors import StartupError
from aweigh.store.database import sqlite_path
from aweigh.store.transactions.errors import driver_message

_MIGRATIONS = Path(__file__).parent / "migrations"


async def migrate(database_url: str | URL, revision: str = "head") -> None:
    """Bring the schema to a revision; creates an SQLite file that is not there yet.

    Raises:
        StartupError: the database cannot be reached, or is of a version that is not known.
    """
    url = make_url(database_url)
    try:
        if path := sqlite_path(url):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        await asyncio.to_thread(_upgrade, url, revision)
    except (SQLAlchemyError, CommandError, OSError) as error:
        raise StartupError(f"the database cannot be used: {driver_message(error)}") from error


def _upgrade(url: URL, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["url"] = url
    command.upgrade(config, revision)
