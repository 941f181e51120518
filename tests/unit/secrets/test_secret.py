"""Secret values: hidden wherever they are printed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.release import Image, Release
from aweigh.secrets.masking import HIDDEN
from aweigh.secrets.value import REVEAL, mask
from tests.support.installation import settings_of

VARIABLE, PASSWORD = "correct-horse", "battery-staple"


@pytest.fixture
def settings() -> ApplicationSettings:
    return settings_of(
        env={"TOKEN": VARIABLE}, source={"registry": {"username": "ci", "password": PASSWORD}}
    )


@pytest.fixture
def release(settings: ApplicationSettings) -> Release:
    return Release(
        deployment="dep_1", application="app_1", slug="shop", server="local", sequence=1,
        image=Image(reference="a"), settings=settings,
    )  # fmt: skip


def holds_a_secret(text: str) -> bool:
    return VARIABLE in text or PASSWORD in text


def test_no_secret_is_printed(release: Release) -> None:
    shown = [repr(release), str(release), f"{release.settings}", repr(dict(release.settings))]

    assert [text for text in shown if holds_a_secret(text)] == []


def test_no_secret_is_written_out_unasked(release: Release) -> None:
    assert not holds_a_secret(release.model_dump_json())
    assert not holds_a_secret(json.dumps(release.model_dump(mode="json")))
    assert not holds_a_secret(str(release.model_dump()))
    assert release.model_dump(mode="json")["settings"]["env"] == {"TOKEN": {"secret": True}}


def test_secrets_are_written_out_where_asked_for_by_name(release: Release) -> None:
    written = release.model_dump_json(context=REVEAL)

    assert json.loads(written)["settings"]["env"] == {"TOKEN": VARIABLE}
    assert Release.model_validate_json(written) == release


def test_another_context_reveals_nothing(settings: ApplicationSettings) -> None:
    assert not holds_a_secret(settings.model_dump_json(context={"reveal": False}))
    assert not holds_a_secret(settings.model_dump_json(context={"other": True}))


def test_a_release_knows_all_its_secrets(release: Release) -> None:
    assert release.secrets == [VARIABLE, PASSWORD]


def test_a_secret_is_masked_wherever_it_stands() -> None:
    text = "correct-horse, xcorrect-horsey and correct-horse again"

    assert mask(text, [VARIABLE]) == f"{HIDDEN}, x{HIDDEN}y and {HIDDEN} again"


def test_a_short_value_is_not_masked() -> None:
    assert mask("true is 12345", ["true", "12345", ""]) == "true is 12345"
    assert mask("123456", ["123456"]) == HIDDEN


def test_every_line_of_a_secret_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADAN\nxy\n"

    masked = mask("read MIIEvQIBADAN from it\n" + key, [key])

    assert "MIIEvQIBADAN" not in masked
    assert "BEGIN" not in masked


def test_a_secret_within_another_leaves_no_part_of_the_longer_one() -> None:
    assert mask("correct-horse-battery", ["correct", "correct-horse-battery"]) == HIDDEN


def test_a_line_of_one_secret_leaves_no_part_of_another() -> None:
    lines = "first-line-that-is-long\nsecond"

    assert mask("second-and-more", [lines, "second-and-more"]) == HIDDEN


@given(
    st.lists(st.text(alphabet="abcd", min_size=6, max_size=9), min_size=1, max_size=4),
    st.text(alphabet="abcd ", max_size=40),
)
def test_no_secret_is_left_in_a_masked_text(secrets: list[str], text: str) -> None:
    masked = mask(" ".join([text, *secrets, text]), secrets)

    assert [one for one in secrets if one in masked] == []


def test_no_secret_is_in_the_words_of_a_refusal() -> None:
    settings = {"source": {"image": "shop"}, "env": {"A=B": "correct-horse"}, "other": "battery"}

    with pytest.raises(ValidationError) as refused:
        ApplicationSettings.model_validate(settings)

    assert "correct-horse" not in str(refused.value)
    assert "battery" not in str(refused.value)
