"""Submodules: what a repository says of them, and what of that is believed."""

import pytest

from aweigh.builds.source.submodule_addresses import (
    DEEPEST,
    MOST,
    BadSubmodule,
    Submodule,
    read_submodules,
    source_of,
)
from aweigh.deployments.source import GitSource

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = {"type": "token", "token": "correct-horse-battery"}
SHOP = GitSource.model_validate(
    {"repository": "https://github.com/acme/shop.git", "credentials": TOKEN}
)


def link(path: str) -> str:
    return f"160000 commit {COMMIT}\t{path}"


def test_each_link_is_found_by_its_path() -> None:
    settings = [
        "submodule.a name.with.dots.path lib/a", "submodule.a name.with.dots.url ../a",
        "submodule.unused.path lib/unused", "submodule.unused.url ../unused",
    ]  # fmt: skip

    found = read_submodules([link("lib/a"), "100644 blob 0\tfile"], settings)

    assert found == [Submodule("lib/a", "../a", COMMIT)]


def test_one_that_asks_not_to_be_updated_is_left_out() -> None:
    settings = ["submodule.a.path a", "submodule.a.url ../a", "submodule.a.update none"]

    assert read_submodules([link("a")], settings) == []


@pytest.mark.parametrize(
    "path", ["../a", "/a", "a/../b", "a//b", ".git", "a/.GIT/hooks", '"a\\tb"', "a\rb", "."]
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(BadSubmodule, match="is not a path inside the repository"):
        read_submodules([link(path)], [f"submodule.a.path {path}", "submodule.a.url ../a"])


def test_one_too_many_is_refused() -> None:
    links = [link(f"m{number}") for number in range(MOST + 1)]
    settings = [
        line
        for number in range(MOST + 1)
        for line in (f"submodule.{number}.path m{number}", f"submodule.{number}.url ../m")
    ]

    with pytest.raises(BadSubmodule, match=f"'m{MOST}' exceeds the limit"):
        read_submodules(links, settings)


def test_one_that_is_too_deep_is_refused() -> None:
    one = Submodule("a", "../a", COMMIT)

    assert source_of(one, SHOP, DEEPEST).repository == "https://github.com/acme/a"
    with pytest.raises(BadSubmodule, match="'a' is nested deeper"):
        source_of(one, SHOP, DEEPEST + 1)


@pytest.mark.parametrize(
    ("url", "repository", "trusted"),
    [
        ("../lib.git", "https://github.com/acme/lib.git", True),
        ("./lib", "https://github.com/acme/shop.git/lib", True),
        ("../../other/lib", "https://github.com/other/lib", False),
        ("https://github.com/acme/lib", "https://github.com/acme/lib", True),
        ("https://github.com/acme2/lib", "https://github.com/acme2/lib", False),
        ("https://github.com.evil.example/acme/lib",
         "https://github.com.evil.example/acme/lib", False),
        ("https://github.com:8443/acme/lib", "https://github.com:8443/acme/lib", False),
        ("git@github.com:acme/lib.git", "https://github.com/acme/lib.git", True),
        ("git@github.com:other/lib.git", "https://github.com/other/lib.git", False),
        ("git@gitlab.com:acme/lib.git", "ssh://git@gitlab.com/acme/lib.git", False),
        ("http://github.com/acme/lib", None, False),
        ("../../../evil.example/acme/lib", None, False),
        ("..", None, False),
    ],
)  # fmt: skip
def test_only_repositories_of_the_same_owner_get_the_credentials(
    url: str, repository: str | None, trusted: bool
) -> None:
    one = Submodule("lib", url, COMMIT)
    if repository is None:
        with pytest.raises(BadSubmodule, match="'lib': its address"):
            source_of(one, SHOP)
        return

    source = source_of(one, SHOP)

    assert source.repository == repository
    assert (source.credentials == SHOP.credentials) is trusted
    assert (source.credentials is None) is not trusted
