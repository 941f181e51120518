"""Senders, and certificates that they trust."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aweigh.core.settings import Settings
from aweigh.notifications.senders.senders import Senders
from aweigh.store.database import Store
from tests.support.attempts import Round, round_of
from tests.support.installation import Databases, open_store
from tests.support.notifying import HOSTS, server_tls
from tests.support.tls import Certificates, certificates


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"), *HOSTS)


@pytest.fixture
def tls(trusted: Certificates, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's, whose authority is trusted by what is started after this."""
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted.authority))
    return server_tls(trusted)


@pytest.fixture
async def senders() -> AsyncIterator[Senders]:
    """Senders that may reach 127.0.0.1."""
    made = Senders(Settings.model_validate({"private_targets": ["127.0.0.1"]}))
    yield made
    await made.close()


@pytest.fixture
async def strict() -> AsyncIterator[Senders]:
    """Senders as they are without any setting: no private target is open."""
    made = Senders(Settings())
    yield made
    await made.close()


@pytest.fixture
async def url(tmp_path: Path) -> str:
    databases = Databases(tmp_path)
    await databases.prepare()
    return databases.new()


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with open_store(url) as opened:
        yield opened


@pytest.fixture
async def made(store: Store) -> Round:
    return await round_of(store)
