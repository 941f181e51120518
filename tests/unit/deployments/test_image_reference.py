"""References to container images: the grammar that the engine uses."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aweigh.deployments.image_reference import ImageReference, is_digest, is_tag, tag_and_digest
from aweigh.images.facts import ImageFacts

DIGEST = f"sha256:{'0123456789abcdef' * 4}"

_alnum = string.ascii_lowercase + string.digits
_component = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
_registry = st.from_regex(
    r"(localhost|[a-z0-9]{1,6}(-[a-z0-9]{1,4})?\.[a-z]{2,5})(:[0-9]{1,5})?", fullmatch=True
)
_references = st.builds(
    ImageReference,
    repository=st.builds(
        lambda registry, path: "/".join([*registry, *path]),
        st.lists(_registry, max_size=1),
        st.lists(_component, min_size=1, max_size=4),
    ),
    tag=st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}", fullmatch=True),
    digest=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:".__add__),
)


@given(_references)
def test_a_reference_reads_back_as_it_was_written(reference: ImageReference) -> None:
    assert ImageReference.parse(str(reference)) == reference


@given(st.text(alphabet=_alnum + "AZ.:/@-_[] %`{}\n\0", max_size=60))
def test_what_is_accepted_is_written_as_it_was_read(text: str) -> None:
    try:
        reference = ImageReference.parse(text)
    except ValueError:
        return

    assert str(reference) == text


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest", "registry"),
    [
        ("nginx", "nginx", None, None, "docker.io"),
        ("nginx:1.27", "nginx", "1.27", None, "docker.io"),
        ("acme/shop", "acme/shop", None, None, "docker.io"),
        ("acme/shop:V1_a.b-c", "acme/shop", "V1_a.b-c", None, "docker.io"),
        ("localhost/shop", "localhost/shop", None, None, "localhost"),
        ("localhost:5000/shop:v1", "localhost:5000/shop", "v1", None, "localhost:5000"),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c", None, None, "127.0.0.1:5000"),
        ("[::1]:5000/shop:v1", "[::1]:5000/shop", "v1", None, "[::1]:5000"),
        ("ghcr.io/acme/shop:v1", "ghcr.io/acme/shop", "v1", None, "ghcr.io"),
        ("Registry.Example.COM/shop", "Registry.Example.COM/shop", None, None,
         "Registry.Example.COM"),
        (f"shop@{DIGEST}", "shop", None, DIGEST, "docker.io"),
        (f"ghcr.io/shop:v1@{DIGEST}", "ghcr.io/shop", "v1", DIGEST, "ghcr.io"),
        ("a__b/c-d/e--f.g", "a__b/c-d/e--f.g", None, None, "docker.io"),
    ],
)  # fmt: skip
def test_a_reference_has_parts(
    text: str, repository: str, tag: str | None, digest: str | None, registry: str
) -> None:
    reference = ImageReference.parse(text)

    assert reference == ImageReference(repository=repository, tag=tag, digest=digest)
    assert reference.registry == registry


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "'' is not an image repository"),
        ("Shop", "'Shop' is not an image repository"),
        ("acme/Shop", "'acme/Shop' is not an image repository"),
        ("acme//shop", "'acme//shop' is not an image repository"),
        ("/shop", "'/shop' is not an image repository"),
        ("shop/", "'shop/' is not an image repository"),
        ("a..b", "'a..b' is not an image repository"),
        ("a___b", "'a___b' is not an image repository"),
        (".shop", "'.shop' is not an image repository"),
        ("shop-", "'shop-' is not an image repository"),
        ("https://ghcr.io/shop", "'https://ghcr.io/shop' is not an image repository"),
        ("ghcr.io:/shop", "'ghcr.io:/shop' is not an image repository"),
        ("ghcr.io:port/shop", "'ghcr.io:port/shop' is not an image repository"),
        ("shop ", "'shop ' is not an image repository"),
        ("shop\n", "'shop\\n' is not an image repository"),
        ("shop`", "'shop`' is not an image repository"),
        (f"{'a' * 256}", "is not an image repository"),
        ("shop:", "'' is not a tag"),
        ("shop:.v1", "'.v1' is not a tag"),
        ("shop:v1 ", "'v1 ' is not a tag"),
        ("shop:a:b", "'a:b' is not a tag"),
        (f"shop:{'a' * 129}", "is not a tag"),
        ("shop@", "'' is not a digest"),
        ("shop@sha256:abc", "'sha256:abc' is not a digest"),
        (f"shop@{DIGEST.upper()}", "is not a digest"),
        (f"shop@{DIGEST}@{DIGEST}", "is not a digest"),
    ],
)
def test_what_is_wrong_with_a_reference_is_named(text: str, what: str) -> None:
    with pytest.raises(ValueError, match="is not") as caught:
        ImageReference.parse(text)

    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("library/nginx", "docker.io/library/nginx"),
        ("docker.io/nginx", "docker.io/library/nginx"),
        ("docker.io/library/nginx", "docker.io/library/nginx"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx"),
        ("index.docker.io/acme/shop", "docker.io/acme/shop"),
        ("acme/shop", "docker.io/acme/shop"),
        ("localhost/shop", "localhost/shop"),
        ("localhost:5000/shop", "localhost:5000/shop"),
        ("Registry.Example.COM/shop", "registry.example.com/shop"),
        ("Registry/shop", "registry/shop"),
    ],
)
def test_one_repository_has_one_form(written: str, full: str) -> None:
    assert ImageReference.parse(written).full_repository == full


def test_an_image_has_the_digest_of_the_repository_that_is_asked_for() -> None:
    """The engine leaves out the registry that is meant without one, whatever was pulled."""
    mine, other = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
    facts = ImageFacts(
        id="sha256:0",
        digests=(f"mirror:5000/library/nginx@{other}", f"nginx@{mine}", f"acme/nginx@{other}"),
    )
    for written in ("nginx", "docker.io/library/nginx:1.27", f"index.docker.io/nginx@{mine}"):
        assert facts.digest_in(ImageReference.parse(written)) == mine
    assert facts.digest_in(ImageReference.parse("mirror:5000/library/nginx")) == other
    assert facts.digest_in(ImageReference.parse("mirror:5001/library/nginx")) is None


@pytest.mark.parametrize(
    ("text", "tag", "digest"),
    [
        ("v1", "v1", None),
        (DIGEST, None, DIGEST),
        (f"v1@{DIGEST}", "v1", DIGEST),
        (f"sha256@{DIGEST}", "sha256", DIGEST),
    ],
)
def test_a_tag_and_a_digest_are_read_from_one_text(
    text: str, tag: str | None, digest: str | None
) -> None:
    assert tag_and_digest(text) == (tag, digest)


def test_with_a_digest_the_engine_is_asked_for_that() -> None:
    assert str(ImageReference.parse(f"a/b:v1@{DIGEST}").exact) == f"a/b@{DIGEST}"
    assert str(ImageReference.parse("a/b:v1").exact) == "a/b:v1"


def test_at_a_digest_the_tag_no_longer_counts() -> None:
    assert str(ImageReference.parse("acme/shop:v1").at(DIGEST)) == f"acme/shop@{DIGEST}"


@pytest.mark.parametrize(
    ("text", "tag", "digest"),
    [("v1", True, False), (DIGEST, False, True), ("", False, False), ("v1\n", False, False)],
)
def test_a_tag_and_a_digest_are_never_mistaken(text: str, tag: bool, digest: bool) -> None:
    assert (is_tag(text), is_digest(text)) == (tag, digest)
