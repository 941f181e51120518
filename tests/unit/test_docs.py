"""The docs name everything there is, so that they cannot drift."""

from pathlib import Path

import pytest

from api.app import create_app
from aweigh.domain.application import ApplicationSettings
from aweigh.domain.deployment import Reason
from aweigh.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def test_every_setting_is_documented() -> None:
    text = (DOCS / "settings.md").read_text()

    missing = [name for name in Settings.model_fields if f"`AWEIGH_{name.upper()}`" not in text]

    assert missing == []


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_documented(reason: Reason) -> None:
    assert f"| `{reason}` |" in (DOCS / "reasons.md").read_text()


def test_every_field_of_an_application_is_documented() -> None:
    text = (DOCS / "applications.md").read_text()

    assert [name for name in ApplicationSettings.model_fields if f"`{name}" not in text] == []


def test_every_call_is_documented() -> None:
    text = (DOCS / "api.md").read_text()
    paths = create_app(None, None, None).openapi()["paths"]  # type: ignore[arg-type]

    known = {
        path.replace("{application}", "{id}").replace("{deployment}", "{id}") for path in paths
    }

    assert sorted(path for path in known if path not in text) == []
