"""The files of an installation that are made once and kept: keys, tokens, identity."""

import os
import secrets
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from aweigh.domain.errors import StartupError
from aweigh.settings import Settings
from aweigh.store import servers, tokens
from aweigh.store.database import Store, Transaction
from aweigh.store.tables import ApplicationRow, MetaRow, ReleaseRow
from aweigh.store.tokens import Bearer, Scope
from aweigh.store.vault import PREFIX_LENGTH, create_keys, key_id_of, load_vault

_KEYS: Final = "keys"
ADMIN: Final = "admin"


def keys_file(settings: Settings) -> Path:
    return settings.data / _KEYS


async def open_store(settings: Settings) -> Store:
    """The database, with the keys to what is sealed in it.

    Raises:
        StartupError: a key is missing.
    """
    store = Store(settings.database, load_vault(keys_file(settings)))
    async with store.read() as tx:
        await _refuse_unknown_keys(tx)
    return store


async def install(settings: Settings) -> None:
    """Make what is missing: data directory, keys, schema, instance, tokens. Safe to repeat.

    Raises:
        StartupError: there is a database, but its keys are gone.
    """
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.tokens.mkdir(exist_ok=True, mode=0o700)
    keys = keys_file(settings)
    if not keys.exists():
        if (settings.data / "aweigh.db").exists():
            raise StartupError(f"{keys} is missing, and the database needs it; restore a backup")
        create_keys(keys)
    store = Store(settings.database, load_vault(keys))
    await store.migrate()
    async with store.write() as tx:
        if await tx.session.get(MetaRow, "instance") is None:
            tx.session.add(MetaRow(key="instance", value=secrets.token_hex(8)))
        await servers.ensure(tx, settings.server)
        await _ensure_token(tx, settings.tokens / ADMIN, Bearer(name=ADMIN, scope=Scope.ADMIN))
        bearer = Bearer(
            name=f"server-{settings.server}", scope=Scope.SERVER, server=settings.server
        )
        await _ensure_token(tx, settings.tokens / bearer.name, bearer)
    await store.close()


async def _ensure_token(tx: Transaction, path: Path, bearer: Bearer) -> None:
    if path.exists() and await tokens.authenticate(tx, path.read_text().strip()):
        return
    write_secret(path, await tokens.issue(tx, bearer))


def write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


async def _refuse_unknown_keys(tx: Transaction) -> None:
    """Raises: StartupError."""
    for column in (ApplicationRow.settings, ApplicationRow.secret, ReleaseRow.settings):
        prefixes = select(func.substr(column, 1, PREFIX_LENGTH)).distinct()
        for prefix in await tx.session.scalars(prefixes):
            if key_id_of(prefix) not in tx.vault.key_ids:
                raise StartupError(
                    f"values are sealed with key {key_id_of(prefix)}, which is not in the keys "
                    "file; restore it from a backup"
                )


def read_secret(path: Path) -> str:
    """Raises: StartupError."""
    try:
        return path.read_text().strip()
    except OSError as error:
        raise StartupError(f"cannot read {path}: {error.strerror}") from error


def identity_of(settings: Settings) -> str:
    """The random identity of this server's data, made at its first start."""
    path = settings.server_data / "identity"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        write_secret(path, secrets.token_hex(16))
    return read_secret(path)
