"""The settings of every process: what refuses the start, and which setting is named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from aweigh.settings import Settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWEIGH_DATA", str(tmp_path))


def refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
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
    assert "api_url must be https" in refused(monkeypatch, "AWEIGH_API_URL", url)


@pytest.mark.parametrize("name", ["AWEIGH_PREFIX", "AWEIGH_SERVER"])
@pytest.mark.parametrize("value", ["", "Eu", "1a", "a_b", "a/b", "a" * 41, "a\n"])
def test_a_name_that_could_not_stand_on_an_engine_refuses_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert "is not a name" in refused(monkeypatch, name, value)


@pytest.mark.parametrize("value", ["0", "65536", "http"])
def test_a_wrong_port_refuses_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert "web_port" in refused(monkeypatch, "AWEIGH_WEB_PORT", value)


def test_settings_never_change() -> None:
    settings = Settings()

    with pytest.raises(ValidationError, match="frozen"):
        settings.prefix = "other"  # type: ignore[misc]


def test_everything_is_kept_in_the_data_directory(tmp_path: Path) -> None:
    settings = Settings()

    assert settings.database == f"sqlite+aiosqlite:///{tmp_path}/aweigh.db"
    assert settings.token_file == tmp_path / "tokens" / "server-local"
    assert settings.server_data == tmp_path / "server"
