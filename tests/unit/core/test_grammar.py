"""The strict grammars, and the slugs that names stand for."""

import posixpath
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aweigh.core import grammar
from aweigh.deployments.image_reference import ImageReference
from aweigh.engine.naming import Names

DANGEROUS = "`{}\"'\\<>|;&$ \n\r\t\0"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("shop", "shop"),
        ("My Shop!", "my-shop"),
        ("  a--b__c ", "a-b-c"),
        ("ÄÖ", "ao"),
        ("Café Straße", "cafe-strasse"),
        ("7up", "app-7up"),
        ("123shop", "app-123shop"),
        ("日本語", "app-77710aed"),
        ("日本 shop", "shop"),
        ("!", "app-bb7208bc"),
        ("a" * 60, "a" * 40),
        ("a" * 39 + " b", "a" * 39),
    ],
)
def test_a_name_stands_for_a_slug(name: str, slug: str) -> None:
    assert grammar.slug_of(name) == slug


@given(st.text())
def test_a_slug_of_anything_is_plain(name: str) -> None:
    slug = grammar.slug_of(name)

    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert "--" not in slug
    assert slug == slug.strip("-") == grammar.slug_of(slug)
    assert grammar.matches(grammar.SLUG, slug)


@pytest.mark.parametrize("slug", ["a", "shop-1", "a--b", "a" * 40])
def test_a_slug_is_accepted(slug: str) -> None:
    assert grammar.matches(grammar.SLUG, slug)


@pytest.mark.parametrize(
    "slug", ["", "1a", "-a", "A", "a_b", "a.b", "a-", "a" * 39 + "-", "a" * 41, "a\n", "ä"]
)
def test_what_is_no_slug_is_refused(slug: str) -> None:
    assert not grammar.matches(grammar.SLUG, slug)


@pytest.mark.parametrize(
    "pattern",
    [grammar.SLUG, grammar.NETWORK_NAME, grammar.VOLUME_NAME,
     grammar.LABEL_KEY, grammar.HOST, grammar.MOUNT_PATH],
)  # fmt: skip
@given(text=st.text(min_size=1), char=st.sampled_from(DANGEROUS))
def test_nothing_that_would_need_quoting_gets_through(
    pattern: "re.Pattern[str]", text: str, char: str
) -> None:
    assert not grammar.matches(pattern, text + char)
    assert not grammar.matches(pattern, char + text)


@given(st.text(alphabet="/.ab", max_size=8).map("/".__add__))
def test_a_plain_path_means_what_it_says(path: str) -> None:
    plain = grammar.is_plain_path(path)

    assert plain == (posixpath.normpath(path) == (path.rstrip("/") or "/") and path[:2] != "//"
                     and path[-2:] != "//")  # fmt: skip


@pytest.mark.parametrize("key", ["a", "x" * 255, "~!@#$%^&*()"])
def test_an_idempotency_key_is_accepted(key: str) -> None:
    assert grammar.matches(grammar.IDEMPOTENCY_KEY, key)


@pytest.mark.parametrize("key", ["", "a b", "a\n", "é", "x" * 256])
def test_what_is_no_idempotency_key_is_refused(key: str) -> None:
    assert not grammar.matches(grammar.IDEMPOTENCY_KEY, key)


@given(st.from_regex(grammar.SLUG, fullmatch=True))
def test_every_slug_can_stand_in_the_name_of_an_image(slug: str) -> None:
    assert ImageReference.parse(Names("aweigh").image(slug, 1)).tag == "1"
