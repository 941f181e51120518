"""Names on the engine: no two things are given the same one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aweigh.core import grammar
from aweigh.engine.naming import Names

NAMES = Names("aweigh")

slugs = st.from_regex(r"[a-z][a-z0-9-]{0,6}", fullmatch=True)
prefixes = st.from_regex(grammar.PREFIX, fullmatch=True)
sources = st.from_regex(grammar.VOLUME_NAME, fullmatch=True)
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


@given(slugs, sources, slugs, sources)
@example("shop", "a-data", "shop-a", "data")
def test_volumes_of_different_applications_never_share_a_name(
    slug: str, source: str, other_slug: str, other_source: str
) -> None:
    same = NAMES.volume(slug, source) == NAMES.volume(other_slug, other_source)

    assert same == ((slug, source) == (other_slug, other_source))


@given(slugs, targets, slugs, targets)
def test_volumes_of_different_applications_images_never_share_a_name(
    slug: str, target: str, other_slug: str, other_target: str
) -> None:
    same = NAMES.image_volume(slug, target) == NAMES.image_volume(other_slug, other_target)

    assert same == ((slug, target.strip("/")) == (other_slug, other_target.strip("/")))


def test_a_path_that_looks_like_a_derived_name_keeps_a_volume_of_its_own() -> None:
    long = "/" + "a" * 101
    derived = NAMES.image_volume("shop", long).partition("_")[2].lstrip("_")

    assert NAMES.image_volume("shop", f"/{derived}") != NAMES.image_volume("shop", long)


@given(prefixes, slugs, numbers, prefixes, slugs, numbers)
@example("a", "b-c", 1, "ab", "c", 1)
def test_installations_never_share_the_name_of_anything(
    prefix: str, slug: str, sequence: int, other: str, other_slug: str, other_sequence: int
) -> None:
    if prefix == other:
        return
    theirs = everything(Names(other), other_slug, other_sequence)

    assert everything(Names(prefix), slug, sequence).isdisjoint(theirs)


def everything(names: Names, slug: str, sequence: int) -> set[str]:
    """Each kind of name that an installation can give."""
    return {
        names.bridge,
        names.proxy,
        names.build_network,
        names.network(slug),
        names.application_network(slug),
        names.container(slug, sequence, 0),
        names.release_container(slug, sequence),
        names.build(slug, sequence, "builder"),
        names.build_volume(slug, sequence, "app"),
        names.cache(slug, "build"),
        names.volume(slug, "data"),
        names.image_volume(slug, "/data"),
        names.image(slug, sequence),
        names.pulled_repository,
    }


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
        "aweigh-shop_data",
        "aweigh-shop__var_lib_data",
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
        ("aweigh/demo/application:1", True),
        ("aweigh-demo/application:1", False),
        ("aweigh2/shop:7", False),
        ("aweigh-test/shop:7", False),
        ("registry.example.com/aweigh/shop:7", False),
        ("aweigh:1", False),
    ],
)
def test_an_installation_knows_its_own_images(name: str, ours: bool) -> None:
    assert NAMES.owns_image(name) is ours
