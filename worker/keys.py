"""Rotation of the key that encrypts stored values."""

from sqlalchemy import select

from aweigh.core.settings import Settings
from aweigh.secrets.vault import add_key, load_vault
from aweigh.store import applications, channels, releases
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow, ChannelRow, ReleaseRow
from worker.store import keys_file


async def rotate(settings: Settings) -> int:
    """Add a new key and encrypt every value with it; return how many.

    Running processes read the new key when they first need it. The old keys stay in the file,
    because backups need them.

    Raises:
        StartupError: the keys file is missing or invalid.
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
            receivers = await tx.session.scalars(select(ChannelRow))
            in_channels = sum(channels.reseal(tx, one) for one in list(receivers))
    finally:
        await store.close()
    return applications.SEALED_VALUES * len(rows) + len(snapshots) + in_channels
