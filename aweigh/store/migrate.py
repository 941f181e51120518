"""Migrations: the same ones for both databases."""

import asyncio
import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import URL, make_url

from aweigh.store.database import sqlite_path

_MIGRATIONS = Path(__file__).parent / "migrations"


async def migrate(database_url: str | URL, revision: str = "head") -> None:
    """Bring the schema to a revision; creates an SQLite file that is not there yet."""
    url = make_url(database_url)
    if path := sqlite_path(url):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    await asyncio.to_thread(_upgrade, url, revision)


def _upgrade(url: URL, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["url"] = url
    command.upgrade(config, revision)
