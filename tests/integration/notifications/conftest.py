"""Senders, and certificates that they trust."""

import ssl
from collections.abc import AsyncIterator

import pytest

from aweigh.core.settings import Settings
from aweigh.notifications.senders.senders import Senders
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
