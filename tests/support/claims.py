"""Domains and ports that applications of the tests claim."""

from typing import Any

from aweigh.store import applications, removals
from aweigh.store.database import Store
from tests.support.installation import (
    settings_of,
)

SHOP = {"host": "shop.example.com"}
NEW = {"host": "new.example.com"}


def port(host: int, protocol: str = "tcp") -> dict[str, Any]:
    return {"host": host, "container": 80, "protocol": protocol}


async def change(store: Store, application_id: str, **fields: Any) -> None:
    async with store.write() as tx:
        found = await applications.find(tx, application_id, lock=True)
        await applications.change(tx, found, settings_of(**fields))


async def remove(store: Store, application_id: str) -> None:
    async with store.write() as tx:
        found = await applications.find(tx, application_id, lock=True)
        await removals.request(tx, found.row, volumes=False)
    async with store.write() as tx:
        await removals.succeeded(tx, application_id)
