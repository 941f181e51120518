"""Names on the engine: no two things are given the same one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aweigh.domain import grammar
from aweigh.domain.naming import Names

NAMES = Names("aweigh")

slugs = st.from_regex(r"[a-z][a-z0-9-]{0,6}", fullmatch=True)
numbers = st.integers(1, 200)
targets = st.from_regex(r"(/[a-zA-Z0-9_.+ -]{1,4}){1,3}", fullmatch=True)
containers = st.tuples(slugs, numbers, numbers | st.just(0))


@given(containers, containers)
def test_containers_of_different_replicas_have_different_names(
    one: tuple[str, int, int], other: tuple[str, int, int]
) -> None:
    assert (NAMES.container(*one) == NAMES.container(*other)) == (one == other)


@given(containers, slugs, numbers)
def test_a_release_command_never_has_the_name_of_a_replica(
    one: tuple[str, int, int], slug: str, sequence: int
) -> None:
    assert NAMES.container(*one) != NAMES.release_container(slug, sequence)


@given(containers)
def test_no_container_has_the_name_of_the_proxy(one: tuple[str, int, int]) -> None:
    assert NAMES.container(*one) != NAMES.proxy


@given(slugs, numbers, slugs, numbers)
def test_images_of_different_deployments_have_different_names(
    slug: str, sequence: int, other_slug: str, other_sequence: int
) -> None:
    same = NAMES.image(slug, sequence) == NAMES.image(other_slug, other_sequence)

    assert same == ((slug, sequence) == (other_slug, other_sequence))


@given(slugs, targets, targets)
def test_volumes_of_an_image_do_not_share_a_name(slug: str, one: str, other: str) -> None:
    same = NAMES.image_volume(slug, one) == NAMES.image_volume(slug, other)

    assert same == (one.strip("/") == other.strip("/"))


@given(slugs, targets, st.from_regex(grammar.VOLUME_NAME, fullmatch=True))
def test_a_volume_of_an_image_never_has_the_name_of_one_that_was_set(
    slug: str, target: str, source: str
) -> None:
    assert NAMES.image_volume(slug, target) != NAMES.volume(slug, source)


@given(slugs, st.text(max_size=200).map("/".__add__))
def test_a_volume_of_an_image_has_a_name_that_the_engine_takes(slug: str, target: str) -> None:
    name = NAMES.image_volume(slug, target)

    assert len(name) < 200
    assert all(char.isascii() and (char.isalnum() or char in "_.-") for char in name)


def test_names_can_be_read() -> None:
    assert [
        NAMES.bridge,
        NAMES.proxy,
        NAMES.container("shop", 7, 0),
        NAMES.release_container("shop", 7),
        NAMES.volume("shop", "data"),
        NAMES.image_volume("shop", "/var/lib/data"),
        NAMES.network("backend"),
        NAMES.image("shop", 7),
        NAMES.pulled("sha256:abc"),
    ] == [
        "aweigh",
        "aweigh-proxy",
        "aweigh-shop-7-0",
        "aweigh-shop-7-release",
        "aweigh-shop-data",
        "aweigh-shop-_var_lib_data",
        "aweigh-backend",
        "aweigh/shop:7",
        "aweigh-pulled/image:abc",
    ]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("aweigh/shop:7", True),
        ("aweigh-proxy/traefik:v3", True),
        ("aweigh-pulled/image:abc", True),
        ("aweigh-demo/application:1", True),
        ("aweigh-demo/base:1", True),
        ("aweigh2/shop:7", False),
        ("aweigh-test/shop:7", False),
        ("registry.example.com/aweigh/shop:7", False),
        ("aweigh:1", False),
    ],
)
def test_an_installation_knows_its_own_images(name: str, ours: bool) -> None:
    assert NAMES.owns_image(name) is ours
