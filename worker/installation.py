"""The permanent files of an installation: keys, tokens, identity."""

import secrets
from pathlib import Path

from aweigh.core.errors import StartupError
from aweigh.core.settings import Settings
from aweigh.core.threads import in_thread
from aweigh.secrets.vault import create_keys, load_vault
from aweigh.store import servers, tokens
from aweigh.store.database import Store, Transaction
from aweigh.store.migrate import migrate
from aweigh.store.tables import MetaRow
from aweigh.store.tokens import Bearer, Scope
from worker.secrets import ADMIN, make_private, write_secret
from worker.store import keys_file


async def install(settings: Settings) -> None:
    """Create what is missing: data directory, keys, schema, instance, tokens. Safe to repeat.

    Raises:
        StartupError: the database cannot be used, or it exists without its keys.
    """
    await in_thread(lambda: _ensure_files(settings))
    await migrate(settings.database)
    store = Store(settings.database, load_vault(keys_file(settings)))
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


def _ensure_files(settings: Settings) -> None:
    """Create directories and keys; on a busy disk, this takes seconds."""
    make_private(settings.data)
    make_private(settings.tokens)
    keys = keys_file(settings)
    if not keys.exists():
        if (settings.data / "aweigh.db").exists():
            raise StartupError(
                f"{keys} is missing, but the database needs it; restore it from a backup"
            )
        create_keys(keys)


async def _ensure_token(tx: Transaction, path: Path, bearer: Bearer) -> None:
    if path.exists() and await tokens.authenticate(tx, path.read_text().strip()):
        return
    issued = await tokens.issue(tx, bearer)
    await in_thread(lambda: write_secret(path, issued))
