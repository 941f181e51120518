"""Text from outside, made fit for logs and messages."""

import pytest

from aweigh.core.text import CUT, LONGEST_SUBJECT, subject_of


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        ("Fix the basket", "Fix the basket"),
        ("\n\n  Fix   the basket \n\nWith a body.", "Fix the basket"),
        ("One line\r\nanother", "One line"),
        ("", ""),
        ("\n \n", ""),
        ("Red \x1b[31m and \x00 nothing", r"Red \x1b[31m and \x00 nothing"),
        ("Backwards \u202egnp.exe", r"Backwards \x202egnp.exe"),
        ("{{7*7}} ${HOME} %s @everyone", "{{7*7}} ${HOME} %s @everyone"),
        ("Ein Körbchen 🧺", "Ein Körbchen 🧺"),
    ],
)
def test_subject_is_the_first_line_on_one_line(message: str, subject: str) -> None:
    assert subject_of(message) == subject


@pytest.mark.parametrize("sign", ["x", "\u202e", " x"])
def test_subject_of_megabytes_is_cut(sign: str) -> None:
    found = subject_of(sign * 2_000_000)

    assert len(found) == LONGEST_SUBJECT + len(CUT)
    assert found.endswith(CUT)
