"""Which messages of commits ask for no deployment."""

import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aweigh.github.skip import asks_to_skip


@pytest.mark.parametrize("marker", [
    "[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]", "[Skip CI]",
])  # fmt: skip
@pytest.mark.parametrize("message", ["{}", "docs: x {}", "docs\n\nwhy\n{}y\n\nReviewed-by: A"])
def test_a_marker_counts_anywhere_in_the_message(message: str, marker: str) -> None:
    assert asks_to_skip(message.replace("{}", marker))


@pytest.mark.parametrize("message", [
    "title\n\n\nskip-checks: true", "title\n\nskip-checks:true\n\n",
    "title\r\n\r\nSkip-Checks: true\r\n",
    "title\n\nbody\n\nReviewed-by: A <a@b>\nskip-checks: true",
    "title\n\nprose\nskip-checks: true\nSigned-off-by: A <a@b>",
])  # fmt: skip
def test_a_trailer_counts_at_the_end(message: str) -> None:
    assert asks_to_skip(message)


@pytest.mark.parametrize("message", [
    "", "change", "skip ci", "[skip  ci]", "[skip-ci]", "[actions no]", "skip-checks: true",
    "title\nskip-checks: true", "title\n\nskip-checks: false", "title\n\nskip-checks: truely",
    "title\n\nskip-checks: true\n\nand a body", "title\n\nWe write\nskip-checks: true\nfor this",
])  # fmt: skip
def test_anything_else_is_deployed(message: str) -> None:
    assert not asks_to_skip(message)


_LINES = st.sampled_from([
    "", " ", "prose", "Key: value", "Key : v", " goes on", "skip-checks: true", "skip-checks:true",
    "Signed-off-by: A <a@b>", "(cherry picked from commit 1)", "two words: x", "\ttab",
])  # fmt: skip


@given(st.lists(_LINES, max_size=7))
@example(["t", "", "skip-checks: true", " goes on"])
def test_trailers_are_where_git_sees_them(lines: list[str]) -> None:
    message = "\n".join(["title", *lines]) + "\n"
    command = ["git", "interpret-trailers", "--parse"]
    seen = subprocess.run(command, input=message, text=True, capture_output=True, check=True).stdout

    assert asks_to_skip(message) == ("skip-checks: true" in seen.split("\n"))


def test_it_takes_linear_time() -> None:
    for hostile in (
        "[skip " * 400_000,
        "\n " * 1_000_000,
        "t\n\n" + "a" * 2_000_000,
        "[" * 2_000_000,
    ):
        assert not asks_to_skip(hostile)


@pytest.mark.parametrize("marker", ["[skip cd]", "[cd skip]", "[no cd]", "[skip  ci]", "skip ci"])
def test_what_github_does_not_read_does_not_count(marker: str) -> None:
    assert not asks_to_skip(f"title {marker}\n\n{marker}")
