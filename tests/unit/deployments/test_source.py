"""Where an application comes from."""

import pytest
from pydantic import ValidationError

from aweigh.deployments.source import GitSource, ImageSource

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("image", "tag", "reference"),
    [
        ("acme/shop", None, "acme/shop:latest"),
        ("acme/shop", "v1", "acme/shop:v1"),
        ("acme/shop", DIGEST, f"acme/shop@{DIGEST}"),
        ("acme/shop", f"v1@{DIGEST}", f"acme/shop:v1@{DIGEST}"),
        (f"acme/shop@{DIGEST}", None, f"acme/shop@{DIGEST}"),
        (f"acme/shop:v1@{DIGEST}", None, f"acme/shop:v1@{DIGEST}"),
    ],
)
def test_a_source_names_one_image(image: str, tag: str | None, reference: str) -> None:
    assert str(ImageSource(image=image, tag=tag).reference) == reference


@pytest.mark.parametrize("image", ["acme/shop", f"acme/shop@{DIGEST}", f"acme/shop:v1@{DIGEST}"])
@pytest.mark.parametrize(
    ("tag", "reference"),
    [
        ("v2", "acme/shop:v2"),
        (DIGEST, f"acme/shop@{DIGEST}"),
        (f"v2@{DIGEST}", f"acme/shop:v2@{DIGEST}"),
    ],
)
def test_a_tag_or_digest_takes_the_place_of_what_was_set(
    image: str, tag: str, reference: str
) -> None:
    assert str(ImageSource(image=image).with_tag(tag).reference) == reference


def test_another_tag_leaves_the_rest_as_it_is() -> None:
    source = ImageSource.model_validate(
        {"image": "a", "tag": "v1", "pull": "always",
         "registry": {"username": "ci", "password": "geheim"}}
    )  # fmt: skip

    moved = source.with_tag("v2")

    assert moved == source.model_copy(update={"tag": "v2"})
    assert moved.registry is not None
    assert moved.registry.password.get_secret_value() == "geheim"


@pytest.mark.parametrize("tag", ["v 1", "", "@", f"@{DIGEST}", "v1@", "v1@v2", f"v1@{DIGEST}x"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="is not an image tag"):
        ImageSource(image="a").with_tag(tag)


@pytest.mark.parametrize("image", ["a:v1", f"a@{DIGEST}", f"a:v1@{DIGEST}"])
def test_a_tag_is_given_once(image: str) -> None:
    with pytest.raises(ValidationError, match="tag"):
        ImageSource(image=image, tag="v2")


@pytest.mark.parametrize("written", ["main", "refs/heads/main", " main\n"])
def test_a_branch_is_stored_by_its_name(written: str) -> None:
    source = GitSource(repository="https://github.com/acme/shop", branch=written)

    assert source.branch == "main"
