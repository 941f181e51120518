"""What a repository's `project.toml` says, and what of it has an effect."""

import pytest

from aweigh.builds.project_file import LONGEST, Project, read_project

TODAY = """
[_]
schema-version = "0.2"
id = "com.example.shop"

[io.buildpacks]
builder = "acme/builder:1"
exclude = ["node_modules/", "*.log"]

[[io.buildpacks.group]]
id = "acme/node"

[[io.buildpacks.build.env]]
name = "NODE_ENV"
value = "production"
"""


def test_variables_and_files_are_heeded_and_the_rest_is_named() -> None:
    assert read_project(TODAY) == Project(
        env={"NODE_ENV": "production"},
        exclude=("node_modules/", "*.log"),
        without_effect=("io.buildpacks.builder", "io.buildpacks.group"),
    )


@pytest.mark.parametrize(
    ("text", "project"),
    [
        ("", Project()),
        ('[build]\ninclude = ["src/"]\n[[build.env]]\nname = "A"\nvalue = "1"',
         Project(env={"A": "1"}, include=("src/",))),
        ('[[io.buildpacks.env.build]]\nname = "A"\nvalue = "1"', Project(env={"A": "1"})),
        ('[io.buildpacks.build]\nexclude = ["spec/"]', Project(exclude=("spec/",))),
        ('[com.example]\nexclude = 3\n[_]\nname = "x"', Project()),
    ],
)  # fmt: skip
def test_other_ways_of_writing_it_are_known(text: str, project: Project) -> None:
    assert read_project(text) == project


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a =", "values must be quoted"),
        ("a = " + "[" * 30_000, "max recursion depth"),
        ("a." * 30_000 + "b = 1", "recursion limit"),
        ("[io]\nbuildpacks = 1", "`io.buildpacks` is not a table"),
        ('[io.buildpacks]\ninclude = "src"', "`io.buildpacks.include`: "),
        ('[build]\ninclude = ["a"]\nexclude = ["b"]', "cannot be used together"),
        ('[[build.env]]\nname = "A=B"\nvalue = "1"', "'A=B' is not an environment variable name"),
        ('[[build.env]]\nname = "../b"\nvalue = "1"', "'../b' is not a build variable name"),
        ('[[build.env]]\nname = "A"\nvalue = 1', "`build.env.0.value`: "),
        ('[build]\nexclude = ["!"]', "Invalid git pattern"),
        (f'[build]\nexclude = ["{"*a?[x-z]" * 5000}"]', "too many or too long"),
        ("#" * (LONGEST + 1), "longer than 64 KiB"),
    ],
)
def test_what_cannot_be_understood_is_said(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read_project(text)

    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("project", "built"),
    [
        (Project(exclude=("node_modules/", "*.log", "!keep.log", "/top")),
         ["a/b.js", "keep.log", "d/top"]),
        (Project(include=("a/", "*.log")), ["a/b.js", "x.log", "keep.log"]),
    ],
)  # fmt: skip
def test_patterns_are_those_of_git(project: Project, built: list[str]) -> None:
    paths = ["a/b.js", "node_modules/x.js", "d/node_modules/x.js", "x.log", "keep.log", "top",
             "d/top"]  # fmt: skip

    takes = project.selection

    assert takes is not None
    assert [path for path in paths if takes(path)] == built


def test_a_file_name_that_is_no_text_is_taken_or_left_like_any_other() -> None:
    takes = Project(exclude=("*.log",)).selection

    assert takes is not None
    assert (takes("a\udcff.log"), takes("a\udcff")) == (False, True)


def test_a_pattern_that_means_harm_takes_no_time_to_speak_of() -> None:
    """Exponential with a backtracking engine: this would not end."""
    takes = Project(exclude=("*a" * 40 + "b",)).selection

    assert takes is not None
    assert takes("a" * 255)
