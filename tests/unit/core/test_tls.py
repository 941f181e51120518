"""The authorities that clients trust are read once, and not on the event loop."""

import ssl
from collections.abc import Callable

import pytest

from aweigh.core import tls
from aweigh.github.app import GitHub
from aweigh.health.probe import Probe
from aweigh.routing.traefik import Traefik
from aweigh.servers.api_client import Api

CLIENTS: dict[str, Callable[[], object]] = {
    "api": lambda: Api("https://aweigh.example.com", "token", "identity", "boot"),
    "github": lambda: GitHub("https://api.github.com"),
    "probe": Probe,
    "traefik": lambda: Traefik(api_port=1, probe_port=2),
}


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_client_takes_what_was_read_before(
    client: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    tls.trusted()
    tls.trusted(as_environment_says=True)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("authorities are read again")

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", refuse)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", refuse)

    client()
