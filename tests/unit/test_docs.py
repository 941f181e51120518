"""The docs name everything there is, so that they cannot drift."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from api.app import create_app
from api.event_schema import event_schema
from aweigh.core.settings import Settings
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.deployment import Reason
from cli.main import app
from tests.support.documented import PAGES, ROOT, commands, dead_links, paths

DOCS = Path(__file__).parents[2] / "docs"


def _text(page: str) -> str:
    return (DOCS / page).read_text()


def test_every_setting_is_documented_in_the_words_of_the_code() -> None:
    rows = re.findall(r"^\| `AWEIGH_(\w+)` \|.*\| (.+) \|$", _text("settings.md"), re.MULTILINE)

    settings = {name.upper(): field.description for name, field in Settings.model_fields.items()}
    assert dict(rows) == settings


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_documented(reason: Reason) -> None:
    assert f"| `{reason}` |" in _text("reasons.md")


def test_every_field_of_an_application_is_documented() -> None:
    text = _text("applications.md")

    assert [name for name in ApplicationSettings.model_fields if f"`{name}" not in text] == []


def test_every_call_is_documented() -> None:
    text = _text("api.md")
    paths = create_app(Settings(), None, None, None).openapi()["paths"]  # type: ignore[arg-type]

    known = {re.sub(r"{(application|channel|deployment)}", "{id}", path) for path in paths}

    assert sorted(path for path in known if path not in text) == []


def test_the_schema_of_events_is_the_one_of_the_code() -> None:
    command = ".venv/bin/python -m api.event_schema >docs/event.schema.json"

    assert json.loads(_text("event.schema.json")) == event_schema(), f"written by {command}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_is_found_where_it_says(page: Path) -> None:
    first = [shlex.split(line)[0] for line in commands(page)]

    ours = [word for word in first if word != "curl" and "=" not in word]
    assert [word for word in ours if not (ROOT / word).is_file()] == []
    bare = r"(?<![\w./-])(?:temporal (?:workflow|activity)|aweigh (?:api|install|keys|worker))\b"
    assert re.findall(bare, page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_documented_command_of_aweigh_is_one(page: Path) -> None:
    known = _names(typer.main.get_command(app))

    given = re.findall(r"\.venv/bin/aweigh ([a-z ]*[a-z])", page.read_text())
    assert sorted(set(given) - known) == []


def _names(command: Any, before: str = "") -> set[str]:
    """The words of every command under this one."""
    inner: dict[str, Any] = getattr(command, "commands", {})
    names = [_names(one, f"{before} {name}".strip()) for name, one in inner.items()]
    return set().union(*names) if names else {before}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    assert [path for path in paths(page) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert dead_links(page) == []


def test_the_readme_gives_the_commands_that_are_tried() -> None:
    """Those of docs/temporal.md: tests/acceptance/test_retry.py runs them."""
    tried = commands(DOCS / "temporal.md")

    given = [line.replace("$id", "dep_…") for line in commands(ROOT / "README.md")]
    assert [one for one in given if "bin/temporal" in one and one not in tried] == []
    assert len(tried) == 4
