"""Paths inside a repository, as people write them and as they are kept."""

import pytest

from aweigh.deployments.repository_path import directory, file


@pytest.mark.parametrize(
    ("written", "kept"),
    [("", ""), (".", ""), ("/", ""), ("./", ""), ("web", "web"), ("./web", "web"), ("/web", "web"),
     ("web/", "web"), ("./a//b/./c/", "a/b/c"), ("a/b c", "a/b c"), ("apps/[id]", "apps/[id]"),
     ("apps/(web)", "apps/(web)"), ("apps/[...all]", "apps/[...all]"), ("日本/é", "日本/é"),
     ("a&b;c$d'e", "a&b;c$d'e"), ("..a/b..", "..a/b.."), (".github", ".github")],
)  # fmt: skip
def test_a_directory_is_kept_in_one_spelling(written: str, kept: str) -> None:
    assert directory(written) == kept


@pytest.mark.parametrize(
    ("written", "what"),
    [("..", "leaves"), ("../a", "leaves"), ("a/../b", "leaves"), ("/..", "leaves"),
     ("a\\b", "must use"), ("a\n", "printable"), ("a\0b", "printable"),
     ("a" * 256, "255"), ("\ud800", "printable"), ("a\u202eb", "printable")],
)  # fmt: skip
def test_what_is_no_directory_of_a_repository_is_named(written: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        directory(written)


@pytest.mark.parametrize(
    ("written", "kept"),
    [("Dockerfile", "Dockerfile"), ("./Dockerfile", "Dockerfile"), ("/Dockerfile", "Dockerfile"),
     ("docker/Dockerfile.web", "docker/Dockerfile.web"), ("apps/[id]/Dockerfile",
     "apps/[id]/Dockerfile"), ("a,b/Dockerfile", "a,b/Dockerfile")],
)  # fmt: skip
def test_a_file_is_kept_in_one_spelling(written: str, kept: str) -> None:
    assert file(written) == kept


@pytest.mark.parametrize(
    "written", ["", ".", "/", "docker/", "../Dockerfile", "a,b", 'a"b', "a=b", "a'b", "Döckerfile"]
)
def test_what_is_no_file_of_a_repository_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"is not the path of a file|leaves"):
        file(written)
