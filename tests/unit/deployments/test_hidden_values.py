"""What a release's logs hide: every secret, no plain variable, and nothing that all are shown."""

from typing import Any

import pytest

from aweigh.deployments.release import Image, Release
from aweigh.secrets.masking import HIDDEN
from aweigh.secrets.value import mask
from tests.support.installation import settings_of

LISTEN = "127.0.0.1:8000"
TOKEN = "correct-horse"
PASSWORD = "battery-staple"


def plain(value: str) -> dict[str, Any]:
    return {"value": value, "secret": False}


def release(slug: str = "shop-one", server: str = "local", **settings: Any) -> Release:
    return Release(
        deployment="dep_1", application="app_1", slug=slug, server=server, sequence=1,
        image=Image(reference="a"), settings=settings_of(**settings),
    )  # fmt: skip


def shown(text: str, **fields: Any) -> str:
    return mask(text, release(**fields).secrets)


def test_a_plain_variable_is_left_as_it_is_and_a_secret_one_is_not() -> None:
    env = {"LISTEN": plain(LISTEN), "TOKEN": TOKEN}

    assert shown(f"listening on {LISTEN} with {TOKEN}", env=env) == (
        f"listening on {LISTEN} with {HIDDEN}"
    )
    assert shown(f"listening on {LISTEN}", env={"LISTEN": LISTEN}) == f"listening on {HIDDEN}"


@pytest.mark.parametrize("value", [TOKEN, f"https://me:{TOKEN}@example.com/", f"a\n{TOKEN}\nb"])
def test_a_plain_variable_does_not_show_a_secret_that_it_holds(value: str) -> None:
    for env in ({"A": plain(value), "B": TOKEN}, {"B": TOKEN, "A": plain(value)}):
        assert TOKEN not in shown(f"A is {value}", env=env)
        assert shown("A is ", env=env) == "A is "


def test_a_plain_variable_does_not_show_a_password_of_the_registry() -> None:
    registry = {"username": "ci", "password": PASSWORD}

    said = shown(f"it is {PASSWORD}", env={"A": plain(PASSWORD)}, source={"registry": registry})

    assert said == f"it is {HIDDEN}"


def test_variables_and_arguments_of_builds_have_marks_of_their_own() -> None:
    git = {"type": "git", "repository": "https://example.com/acme/shop", "image": None, "tag": None}
    for build in (
        {"env": {"MODE": plain("production"), "TOKEN": TOKEN}},
        {"method": "dockerfile", "args": {"MODE": plain("production"), "TOKEN": TOKEN}},
    ):
        source = {key: value for key, value in git.items() if value} | {"build": build}
        settings = settings_of().model_validate({"source": source})
        made = release().model_copy(update={"settings": settings})

        said = mask(f"production {TOKEN}", made.secrets)

        assert said == f"production {HIDDEN}"


def test_secrets_of_a_build_are_hidden_always() -> None:
    build = {
        "method": "dockerfile", "args": {"A": plain("it's-a-swordfish")},
        "secrets": {"npm": "swordfish"},
    }  # fmt: skip
    source = {"type": "git", "repository": "https://example.com/acme/shop", "build": build}
    settings = settings_of().model_validate({"source": source})

    said = mask("it's-a-swordfish", release().model_copy(update={"settings": settings}).secrets)

    assert said == f"it's-a-{HIDDEN}"


DOMAINS = [{"host": "shop.example.com", "path": "/store"}]
VOLUMES = [{"source": "uploads", "target": "/data/uploads"}]


@pytest.mark.parametrize(
    "value",
    [
        "wordpress", "eu-west-1", "shop.example.com", "https://shop.example.com",
        "http://shop.example.com/", "https://shop.example.com/store", "shop.example.com/store/",
        "registry.example.com/acme/shop", "registry.example.com/acme/shop:v2.0.1", "v2.0.1",
        "backend-net", "/data/uploads", "uploads",
    ],
)  # fmt: skip
def test_what_everybody_is_shown_of_an_application_is_not_hidden(value: str) -> None:
    fields = {
        "slug": "wordpress", "server": "eu-west-1", "domains": DOMAINS, "volumes": VOLUMES,
        "networks": ["backend-net"], "source": {"tag": "v2.0.1"},
    }  # fmt: skip

    assert shown(f"it is {value}", env={"A": value}, **fields) == f"it is {value}"
    assert shown(f"it is {value}", env={"A": value}) == f"it is {HIDDEN}" or "registry" in value


def test_a_credential_is_hidden_whatever_it_says() -> None:
    registry = {"username": "ci", "password": "wordpress"}

    said = shown(
        "wordpress", slug="wordpress", env={"A": "wordpress"}, source={"registry": registry}
    )

    assert said == HIDDEN


@pytest.mark.parametrize(
    "value", ["https://shop.example.com/?key=1", "key.shop.example.com", "shop.example.com:key"]
)
def test_what_only_holds_a_name_of_the_application_is_hidden(value: str) -> None:
    assert shown(value, env={"A": value}, domains=DOMAINS) == HIDDEN


def test_a_repository_and_its_branch_are_not_hidden() -> None:
    source = {"type": "git", "repository": "https://example.com/acme/shop", "branch": "release-1"}
    env = {"A": "release-1", "B": "https://example.com/acme/shop", "C": TOKEN}
    env |= {"D": "v2.0.1", "E": "c" * 40}
    settings = settings_of().model_validate({"source": source, "env": env})

    made = release().model_copy(update={"settings": settings, "ref": "v2.0.1", "commit": "c" * 40})

    assert made.secrets == [TOKEN]
