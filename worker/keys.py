"""Rotation of the key that values are sealed with."""

from sqlalchemy import select

from aweigh.core.settings import Settings
from aweigh.secrets.vault import add_key, load_vault
from aweigh.store import applications, releases
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow, ReleaseRow
from worker.store import keys_file


async def rotate(settings: Settings) -> int:
    """Put a new key first and seal every value anew with it; how many.

    Running processes find the new key when they meet it. The old keys stay in the file: backups
    are sealed with them.

    Raises:
        StartupError: the keys file is missing or broken.
    """
    path = keys_file(settings)
    load_vault(path)  # refuses to rotate what cannot be read
    add_key(path)
    store = Store(settings.database, load_vault(path))
    try:
        async with store.write() as tx:
            rows = list(await tx.session.scalars(select(ApplicationRow)))
            for row in rows:
                applications.reseal(tx, row)
            snapshots = list(await tx.session.scalars(select(ReleaseRow)))
            for snapshot in snapshots:
                releases.reseal(tx, snapshot)
    finally:
        await store.close()
    return applications.SEALED_VALUES * len(rows) + len(snapshots)
