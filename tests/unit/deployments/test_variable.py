"""Variables: given as text, which is secret, or with a mark that shows them."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from aweigh.builds.key import content_key
from aweigh.containers.spec import environment
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.merge import merged
from aweigh.deployments.source import GitSource
from aweigh.secrets.value import REVEAL
from tests.support.installation import settings_of

LISTEN = "127.0.0.1:8000"
PLAIN = {"value": LISTEN, "secret": False}
TOKEN = "correct-horse"


def refusal(**fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        settings_of(**fields)
    [error] = caught.value.errors()
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


def changed(settings: ApplicationSettings, variable: Any) -> Any:
    """What is stored of a variable A after a change of it."""
    after = merged(settings, {"env": {"A": variable}})
    return after.model_dump(mode="json", context=REVEAL)["env"].get("A")


@pytest.mark.parametrize(
    ("given", "shown", "stored"),
    [
        (TOKEN, {"secret": True}, TOKEN),
        ("", {"secret": True}, ""),
        ({"value": TOKEN}, {"secret": True}, TOKEN),
        ({"value": TOKEN, "secret": True}, {"secret": True}, TOKEN),
        (PLAIN, PLAIN, PLAIN),
        ({"value": "", "secret": False},) + ({"value": "", "secret": False},) * 2,
    ],
)
def test_only_a_plain_variable_is_shown(given: Any, shown: Any, stored: Any) -> None:
    settings = settings_of(env={"A": given})

    assert settings.model_dump(mode="json")["env"] == {"A": shown}
    assert json.loads(settings.model_dump_json(context=REVEAL))["env"] == {"A": stored}
    assert ApplicationSettings.model_validate_json(settings.model_dump_json(context=REVEAL)) == (
        settings
    )
    assert TOKEN not in repr(settings)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (5, "env.A: Value error, is neither a string nor an object"),
        (None, "env.A: Value error, is neither a string nor an object"),
        ([TOKEN], "env.A: Value error, is neither a string nor an object"),
        ({}, "env.A: Value error, needs a `value`"),
        ({"secret": True}, "env.A: Value error, needs a `value`"),
        ({"secret": False}, "env.A: Value error, needs its `value`"),
        ({"value": 8000, "secret": False}, "env.A.value: Input should be a valid string"),
        ({"value": None, "secret": False}, "env.A.value: Input should be a valid string"),
        ({"value": TOKEN, "secret": "no"}, "env.A.secret: Input should be a valid boolean"),
        ({"value": TOKEN, "secret": 0}, "env.A.secret: Input should be a valid boolean"),
        ({"value": TOKEN, "secret": None}, "env.A.secret: Input should be a valid boolean"),
        ({"value": TOKEN, "sekret": False}, "env.A.sekret: Extra inputs are not permitted"),
        ({"value": "a\0b", "secret": False}, "env.A.value: Value error, contains a NUL"),
    ],
)
def test_a_wrong_variable_is_named_and_not_repeated(given: Any, said: str) -> None:
    refused = refusal(env={"A": given})

    assert refused.startswith(said)
    assert TOKEN not in refused


@pytest.mark.parametrize(
    ("change", "stored"),
    [
        (None, None),
        ("other", "other"),
        ({"value": "other"}, "other"),
        ({"value": "other", "secret": True}, "other"),
        ({"value": "other", "secret": None}, "other"),
        ({"value": "other", "secret": False}, {"value": "other", "secret": False}),
        ({"secret": True}, LISTEN),
        ({"secret": False}, PLAIN),
        ({}, PLAIN),
    ],
)
def test_a_plain_variable_is_secret_again_where_a_change_does_not_say_plain(
    change: Any, stored: Any
) -> None:
    assert changed(settings_of(env={"A": PLAIN}), change) == stored


@pytest.mark.parametrize(
    ("change", "stored"),
    [
        ("other", "other"),
        (PLAIN, PLAIN),
        ({"secret": True}, TOKEN),
        ({"secret": None}, TOKEN),
        ({}, TOKEN),
    ],
)
def test_a_secret_variable_changes_as_a_whole(change: Any, stored: Any) -> None:
    assert changed(settings_of(env={"A": TOKEN}), change) == stored


@pytest.mark.parametrize(
    "change",
    [
        {"secret": False}, {"secret": 0}, {"secret": "false"}, {"secret": False, "value": None},
        {"sekret": False}, {"secret": False, "text": ""},
    ],
)  # fmt: skip
@pytest.mark.parametrize("part", ["env", "build env", "args"])
def test_no_change_shows_a_stored_secret(part: str, change: dict[str, Any]) -> None:
    build = {
        "env": {}, "build env": {"env": {"A": TOKEN}},
        "args": {"method": "dockerfile", "args": {"A": TOKEN}},
    }[part]  # fmt: skip
    source = {"type": "git", "repository": "https://example.com/acme/shop", "build": build}
    settings = ApplicationSettings.model_validate({"source": source, "env": {"A": TOKEN}})
    name = part.removeprefix("build ")
    patch = {name: {"A": change}}

    with pytest.raises(ValidationError) as refused:
        merged(settings, patch if part == "env" else {"source": {"build": patch}})

    [error] = refused.value.errors()
    assert "A" in error["loc"]
    if "secret" in change:
        assert "only if its value is given anew" in error["msg"]


@pytest.mark.parametrize(("method", "name"), [("buildpacks", "env"), ("dockerfile", "args")])
def test_variables_of_a_build_change_like_those_of_the_application(method: str, name: str) -> None:
    build = {"method": method, name: {"A": PLAIN, "B": TOKEN}}
    source = {"type": "git", "repository": "https://example.com/acme/shop", "build": build}
    settings = ApplicationSettings.model_validate({"source": source})

    after = merged(
        settings, {"source": {"build": {name: {"A": "other", "B": PLAIN, "C": {"value": "x"}}}}}
    )

    known = after.model_dump(mode="json", context=REVEAL)["source"]["build"][name]
    assert known == {"A": "other", "B": PLAIN, "C": "x"}
    shown = settings.model_dump(mode="json")["source"]["build"][name]
    assert shown == {"A": PLAIN, "B": {"secret": True}}


@pytest.mark.parametrize(("method", "name"), [("buildpacks", "env"), ("dockerfile", "args")])
def test_a_mark_makes_no_other_image(method: str, name: str) -> None:
    def key(value: Any) -> str:
        build = {"method": method, name: {"A": value}}
        source = {"type": "git", "repository": "https://example.com/acme/shop", "build": build}
        return content_key(b"key", GitSource.model_validate(source), "c")

    assert key(LISTEN) == key({"value": LISTEN}) == key(PLAIN)
    assert key(LISTEN) != key({"value": "127.0.0.1:8001", "secret": False})


def test_containers_are_given_every_variable() -> None:
    settings = settings_of(env={"A": PLAIN, "B": TOKEN})

    assert environment(settings, 80) == {"PORT": "80", "A": LISTEN, "B": TOKEN}
