"""Sealed settings are opened once on the way of a call, and again only if they have changed."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from aweigh.secrets.vault import SealOwner, Vault
from aweigh.store import applications
from aweigh.store.database import Store
from tests.integration.api.test_webhooks import ONE, REPOSITORY, deliver, follow
from tests.support.api_caller import Caller, open_api
from tests.support.github import push
from tests.support.installation import Databases, create_application, settings_of

SETTINGS = "applications.settings"


class CountingVault(Vault):
    """Counts what is opened, by kind."""

    def __init__(self) -> None:
        super().__init__({"0a0b0c0d": Fernet(Fernet.generate_key())})
        self.opened: Counter[str] = Counter()

    def open(self, owner: SealOwner, sealed: str) -> str:
        self.opened[owner.kind] += 1
        return super().open(owner, sealed)


@pytest.fixture
def vault() -> CountingVault:
    return CountingVault()


@pytest.fixture
async def store(databases: Databases, vault: CountingVault) -> AsyncIterator[Store]:
    opened = Store(databases.new(), vault)
    yield opened
    await opened.close()


@pytest.fixture
async def caller(store: Store, tmp_path: Path) -> AsyncIterator[Caller]:
    async with open_api(store, tmp_path) as opened:
        yield opened


async def test_a_hook_opens_settings_once(caller: Caller, vault: CountingVault) -> None:
    shop = await caller.create()
    vault.opened.clear()

    answer = await caller.hook(shop, json={"tag": "v2"})

    assert answer.status_code == 202
    assert vault.opened[SETTINGS] == 1
    assert vault.opened["releases.settings"] == 0


async def test_a_delivery_opens_settings_once(caller: Caller, vault: CountingVault) -> None:
    shop = await follow(caller)
    vault.opened.clear()

    answer = await deliver(caller, shop["webhook_secret"], push(REPOSITORY, after=ONE))

    assert len(answer.json()["deployments"]) == 1
    assert vault.opened[SETTINGS] == 1
    assert vault.opened["releases.settings"] == 0


async def test_settings_that_changed_before_the_lock_are_opened_again(store: Store) -> None:
    async with store.write() as tx:
        await create_application(tx)
    async with store.read() as tx:
        known = await applications.find(tx, "shop")
    async with store.write() as tx:
        found = await applications.find(tx, "shop", lock=True)
        await applications.change(tx, found, settings_of(replicas=2))

    async with store.write() as tx:
        locked = await applications.lock(tx, known)

    assert locked.settings.replicas == 2
