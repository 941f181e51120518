"""The settings of every process: what refuses the start, and which setting is named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from aweigh.core.errors import StartupError
from aweigh.core.settings import Settings
from worker.process import load_settings

EVERYWHERE = "0.0.0.0"  # noqa: S104


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWEIGH_DATA", str(tmp_path))


def refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    monkeypatch.setenv(name, value)
    with pytest.raises(StartupError) as caught:
        load_settings()
    return str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "http://127.0.0.1:8700", "http://127.1.2.3", "http://localhost:1", "http://[::1]:8700",
     "https://aweigh.example.com", "https://10.0.0.1:8700/"],
)  # fmt: skip
def test_secrets_travel_within_the_machine_or_over_tls(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AWEIGH_API_URL", url)

    assert Settings().api_base == (url or "http://127.0.0.1:8700").rstrip("/")


@pytest.mark.parametrize(
    "url",
    ["http://aweigh.example.com", "http://10.0.0.1:8700", "http://127.example.com",
     "http://127.0.0.1.example.com", "http://localhost.example.com", "http://0.0.0.0:8700",
     "http://user@evil.com:80#@127.0.0.1", "ftp://127.0.0.1", "127.0.0.1:8700", "https://",
     "http://[::2]"],
)  # fmt: skip
def test_an_address_over_which_secrets_could_be_read_refuses_the_start(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    assert "AWEIGH_API_URL: must be https" in refused(monkeypatch, "AWEIGH_API_URL", url)


@pytest.mark.parametrize("value", ["", "Eu", "1a", "a_b", "a-b", "a.b", "a/b", "a" * 21, "a\n"])
def test_a_prefix_that_would_not_end_at_its_first_dash_refuses_the_start(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    assert "is not a name prefix" in refused(monkeypatch, "AWEIGH_PREFIX", value)


@pytest.mark.parametrize("name", ["AWEIGH_SERVER"])
@pytest.mark.parametrize("value", ["", "Eu", "1a", "a_b", "a/b", "a" * 41, "a\n"])
def test_a_name_that_could_not_stand_on_an_engine_refuses_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert "is not a name" in refused(monkeypatch, name, value)


@pytest.mark.parametrize("value", ["0", "65536", "http"])
def test_a_wrong_port_refuses_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert "AWEIGH_WEB_PORT" in refused(monkeypatch, "AWEIGH_WEB_PORT", value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LOG_LEVEL", "verbose", "Input should be 'debug', 'info', 'warning' or 'error'"),
        ("BIND_ROOTS", "srv,/data", "srv is not an absolute path"),
        ("BIND_ROOTS", "[/srv]", "Expecting value: line 1 column 2 (char 1)"),
        ("TEMPORAL_ADDRESS", "localhost", "is not a host and a port, as in 127.0.0.1:7233"),
        ("TEMPORAL_ADDRESS", "", "is not a host and a port, as in 127.0.0.1:7233"),
        ("TEMPORAL_ADDRESS", ":7233", "is not a host and a port, as in 127.0.0.1:7233"),
        ("TEMPORAL_ADDRESS", "http://t:7233", "is not a host and a port, as in 127.0.0.1:7233"),
        ("TEMPORAL_ADDRESS", "t:70000", "Port out of range 0-65535"),
        ("DATABASE_URL", "sqlite:////a.db",
         "must begin with postgresql+psycopg:// or sqlite+aiosqlite://"),
        ("DATABASE_URL", "sqlite+aiosqlite:///a.db",
         "needs the absolute path of a file: sqlite+aiosqlite:////path"),
        ("DATABASE_URL", "postgresql+psycopg://u:secret@h:abc/a", "is not a database URL"),
        ("DATABASE_URL", "secret", "is not a database URL"),
        ("SUBNET", "10.5.0.1/16", "10.5.0.1/16 has host bits set"),
        ("SUBNET", "10.5.0.0/24", "must be a /16, not 10.5.0.0/24"),
        ("SUBNET", "ten", "Expected 4 octets in 'ten'"),
        ("API_URL", "http://10.0.0.1", "must be https: secrets travel over it"),
        ("API_URL", "http://[::1", "Invalid IPv6 URL"),
        ("API_URL", "https://a:70000", "Port out of range 0-65535"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_refuses_the_start_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    assert refused(monkeypatch, f"AWEIGH_{name}", value) == f"AWEIGH_{name}: {sentence}"


@pytest.mark.parametrize("half", ["CERT", "KEY"])
def test_a_certificate_and_its_key_need_each_other(
    monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    assert "must be set together" in refused(
        monkeypatch, f"AWEIGH_TEMPORAL_TLS_{half}_FILE", "/a.pem"
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LOG_LEVEL", "WARNING", "warning"),
        ("BIND_ROOTS", "/srv", (Path("/srv"),)),
        ("BIND_ROOTS", "/srv, /data", (Path("/srv"), Path("/data"))),
        ("BIND_ROOTS", "/srv:/data:", (Path("/srv"), Path("/data"))),
        ("BIND_ROOTS", '["/srv:a"]', (Path("/srv:a"),)),
        ("BIND_ROOTS", "", ()),
        ("DATA", "here", Path.cwd() / "here"),
        ("SUBNET", "10.5.0.0/16", "10.5.0.0/16"),
        ("SERVER_TOKEN_FILE", "", None),
        ("DATABASE_URL", "postgresql+psycopg://u:p@h/a", "postgresql+psycopg://u:p@h/a"),
    ],
)
def test_a_value_is_taken_as_it_is_written(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: object
) -> None:
    monkeypatch.setenv(f"AWEIGH_{name}", value)

    assert getattr(load_settings(), name.lower()) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [("localhost:7233", ("localhost", 7233)), ("[::1]:1", ("::1", 1)), ("t.lan:2", ("t.lan", 2))],
)
def test_an_address_is_a_host_and_a_port(
    monkeypatch: pytest.MonkeyPatch, address: str, expected: tuple[str, int]
) -> None:
    monkeypatch.setenv("AWEIGH_TEMPORAL_ADDRESS", address)

    assert load_settings().temporal_endpoint == expected


@pytest.mark.parametrize(
    ("host", "url"),
    [("192.168.1.5", ""), ("aweigh.internal", ""), ("::", ""),
     ("192.168.1.5", "http://localhost:8700"), (EVERYWHERE, "http://[::1]:8700")],
)  # fmt: skip
def test_an_api_that_its_own_worker_cannot_reach_refuses_the_start(
    monkeypatch: pytest.MonkeyPatch, host: str, url: str
) -> None:
    monkeypatch.setenv("AWEIGH_API_URL", url)

    sentence = refused(monkeypatch, "AWEIGH_API_HOST", host)

    asked = url or "http://127.0.0.1:8700"
    assert sentence.startswith(f"AWEIGH_API_HOST is {host}, but the server worker asks {asked}: ")


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", ""), ("localhost", ""), (EVERYWHERE, ""), ("::", "http://[::1]:8700"),
     ("192.168.1.5", "https://aweigh.example.com"), ("192.168.1.5", "http://127.0.0.1:9000")],
)  # fmt: skip
def test_an_api_beyond_this_machine_is_asked_where_it_is(
    monkeypatch: pytest.MonkeyPatch, host: str, url: str
) -> None:
    monkeypatch.setenv("AWEIGH_API_URL", url)
    monkeypatch.setenv("AWEIGH_API_HOST", host)

    assert load_settings().api_host == host


def test_settings_never_change() -> None:
    settings = Settings()

    with pytest.raises(ValidationError, match="frozen"):
        settings.prefix = "other"


def test_everything_is_kept_in_the_data_directory(tmp_path: Path) -> None:
    settings = Settings()

    assert settings.database == f"sqlite+aiosqlite:///{tmp_path}/aweigh.db"
    assert settings.token_file == tmp_path / "tokens" / "server-local"
    assert settings.server_data == tmp_path / "server"


def test_two_ports_are_not_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWEIGH_WEB_PORT", "8443")
    monkeypatch.setenv("AWEIGH_WEB_SECURE_PORT", "8443")

    with pytest.raises(ValidationError, match="AWEIGH_WEB_PORT and AWEIGH_WEB_SECURE_PORT must"):
        Settings()


@pytest.mark.parametrize(
    "value", ["10.0.0.0/8, 192.0.2.7,2001:db8::/32", '["10.0.0.0/8","192.0.2.7","2001:db8::/32"]']
)
def test_trusted_proxies_are_addresses_and_networks(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("AWEIGH_TRUSTED_PROXIES", value)

    trusted = [str(one) for one in Settings().trusted_proxies]
    assert trusted == ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]


@pytest.mark.parametrize("value", ["0.0.0.0/0", "::/0", "10.0.0.1/8", "lb.example.com", "[1]x"])
def test_trust_in_everybody_or_nobody_known_refuses_the_start(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    assert "AWEIGH_TRUSTED_PROXIES" in refused(monkeypatch, "AWEIGH_TRUSTED_PROXIES", value)


def test_the_proxy_protocol_needs_a_trusted_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refused(monkeypatch, "AWEIGH_PROXY_PROTOCOL", "true")

    assert "requires AWEIGH_TRUSTED_PROXIES" in message
