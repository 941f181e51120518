"""What an installation keeps, made small: keys, a migrated database, an application in it."""

import itertools
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import select

from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.deployment import Trigger
from aweigh.secrets.vault import Vault
from aweigh.store import admission, applications, lifecycle, servers
from aweigh.store.admission import Order
from aweigh.store.applications import Application
from aweigh.store.database import PATIENCE, Store, Transaction
from aweigh.store.migrate import migrate
from aweigh.store.tables import Base, EventRow, MetaRow, ServerRow
from tests.support.postgres import Postgres

SERVER = "local"
IMAGE = "registry.example.com/acme/shop"
#: The keys of `meta` in every migrated database.
MIGRATED_KEYS = frozenset({"instance", "dispatched_events"})
_numbers = itertools.count(1)


def new_vault() -> Vault:
    return Vault({"0a0b0c0d": Fernet(Fernet.generate_key())})


def settings_of(**fields: Any) -> ApplicationSettings:
    """Settings of an application, as they come in."""
    source = {"type": "image"} | fields.pop("source", {})
    if source["type"] == "image":
        source = {"image": IMAGE, "tag": "v1"} | source
    return ApplicationSettings.model_validate({"source": source, **fields})


_TABLES = ", ".join(Base.metadata.tables.keys() - {"meta", "servers"})
_NOT_YET_KNOWN = ", ".join(
    f"{column.name} = NULL" for column in ServerRow.__table__.columns if column.nullable
)
_CLEAN = f"""
    TRUNCATE {_TABLES} RESTART IDENTITY;
    DELETE FROM meta WHERE key NOT IN ('instance', 'dispatched_events');
    UPDATE meta SET value = '0' WHERE key = 'dispatched_events';
    DELETE FROM servers WHERE name <> '{SERVER}';
    UPDATE servers SET {_NOT_YET_KNOWN};
"""


class Databases:
    """Migrated databases of one kind with nothing in them but a server; one at a time."""

    def __init__(self, directory: Path, postgres: Postgres | None = None) -> None:
        self._directory = directory
        self._postgres = postgres

    @property
    def _template(self) -> str:
        if self._postgres:
            return self._postgres.url("migrated")
        return f"sqlite+aiosqlite:///{self._directory / 'migrated.db'}"

    async def prepare(self) -> None:
        if self._postgres:
            self._postgres.run("CREATE DATABASE migrated")
        await migrate(self._template)
        store = Store(self._template, new_vault())
        async with store.write() as tx:
            tx.session.add(MetaRow(key="instance", value="0123456789abcdef"))
            await servers.ensure(tx, SERVER)
        await store.close()

    def new(self) -> str:
        """The URL of a database that nobody else uses."""
        if self._postgres:
            self._postgres.run(_CLEAN, "migrated")  # quicker than a copy
            return self._template
        path = self._directory / f"test_{next(_numbers)}.db"
        shutil.copy(self._directory / "migrated.db", path)
        return f"sqlite+aiosqlite:///{path}"


@asynccontextmanager
async def open_store(url: str, patience: float = PATIENCE) -> AsyncIterator[Store]:
    store = Store(url, new_vault(), patience)
    yield store
    await store.close()


async def create_application(tx: Transaction, name: str = "shop", **fields: Any) -> Application:
    return await applications.create(tx, name=name, server=SERVER, settings=settings_of(**fields))


async def new_application(store: Store, name: str = "shop", **fields: Any) -> str:
    """The id of a new application."""
    async with store.write() as tx:
        return (await create_application(tx, name, **fields)).row.id


async def new_deployment(store: Store, application_id: str, **order: Any) -> str:
    """The id of a new deployment, as the hook would make it."""
    async with store.write() as tx:
        application = await applications.find(tx, application_id, lock=True)
        asked: Mapping[str, Any] = {"trigger": Trigger.HOOK, "actor": "hook"} | order
        return (await admission.admit(tx, application, Order(**asked))).id


async def start(store: Store, deployment_id: str, run_id: str = "run-1") -> bool:
    async with store.write() as tx:
        return await lifecycle.started(tx, deployment_id, run_id)


async def succeed(store: Store, deployment_id: str, run_id: str = "run-1") -> None:
    async with store.write() as tx:
        await lifecycle.succeeded(tx, deployment_id, run_id)


async def events_of(store: Store, deployment_id: str | None) -> list[str]:
    """The kinds of the events of one deployment, or of all, in order."""
    query = select(EventRow.kind).order_by(EventRow.id)
    if deployment_id:
        query = query.where(EventRow.deployment_id == deployment_id)
    async with store.read() as tx:
        return list(await tx.session.scalars(query))
