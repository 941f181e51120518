"""Opens the database of an installation."""

from pathlib import Path

from sqlalchemy import func, select

from aweigh.core.errors import StartupError
from aweigh.core.settings import Settings
from aweigh.secrets.vault import PREFIX_LENGTH, key_id_of, load_vault
from aweigh.store.database import Store, Transaction
from aweigh.store.tables import SEALED_COLUMNS


def keys_file(settings: Settings) -> Path:
    return settings.data / "keys"


async def open_store(settings: Settings) -> Store:
    """Return the database, with the keys for its encrypted values.

    Raises:
        StartupError: a key is missing.
    """
    store = Store(settings.database, load_vault(keys_file(settings)))
    async with store.read() as tx:
        await _refuse_unknown_keys(tx)
    return store


async def _refuse_unknown_keys(tx: Transaction) -> None:
    """Ensure that all keys in use are known. Raises: StartupError."""
    for column in SEALED_COLUMNS:
        prefixes = (
            select(func.substr(column, 1, PREFIX_LENGTH)).where(column.is_not(None)).distinct()
        )
        for prefix in await tx.session.scalars(prefixes):
            if key_id_of(prefix) not in tx.vault.key_ids:
                raise StartupError(
                    f"values are sealed with key {key_id_of(prefix)}, which is not in the keys "
                    "file; restore it from a backup"
                )
