"""Tables, and the places in the docs where they go."""

from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS, PAGE
from benchmarks.page import Section, Table, put

TABLE = Table(title="Swaps", columns=("way", "lost"), rows=[("Aweigh", "0"), ("naive", "1234")])
SECTION = Section(name="swap", circumstances="2 cores", tables=[TABLE])
TEXT = """\
**Swaps**

| way    | lost |
| ------ | ---- |
| Aweigh | 0    |
| naive  | 1234 |

<sub>2 cores</sub>"""


def test_a_section_is_markdown_that_a_terminal_shows_well() -> None:
    assert SECTION.markdown() == TEXT


def test_a_section_takes_the_place_of_the_one_before_and_of_nothing_else() -> None:
    page = "a\n<!-- figures: swap -->\nold\n<!-- end: swap -->\nb\n<!-- figures: hook -->"

    once = put(page, SECTION)

    place = f"<!-- figures: swap -->\n\n{TEXT}\n\n<!-- end: swap -->"
    assert once == f"a\n{place}\nb\n<!-- figures: hook -->"
    assert put(once, SECTION) == once


@pytest.mark.parametrize("page", ["", "<!-- figures: swap -->", "<!-- end: swap -->"])
def test_a_page_without_a_place_is_left_alone(page: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        put(page, SECTION)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_has_its_place_in_the_docs(name: str) -> None:
    page = Path(PAGE).read_text()

    assert put(page, Section(name=name, circumstances="", tables=[])) != page
