"""A secret is hidden whole and in parts, wherever a text was cut."""

import sys
from types import FrameType
from typing import Any

import pytest

from aweigh.core.text import CUT, one_line, printable
from aweigh.secrets.masking import HIDDEN
from aweigh.secrets.value import mask

SECRET = "correct horse  battery staple"


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        "correct horse battery staple",  # white space run together
        "correct hor",  # the end of what was kept
        f"correct horse  batt{CUT}",  # cut by us
    ],
)
def test_a_secret_is_hidden_in_every_shape_it_takes(text: str) -> None:
    assert mask(f"the password is {text}", [SECRET]).startswith(f"the password is {HIDDEN}")
    assert "correct" not in mask(f"the password is {text}", [SECRET])


def test_each_line_of_a_secret_is_hidden_by_itself() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADAN\n-----END KEY-----"

    assert mask("it read: MIIEvQIBADAN!", [key]) == f"it read: {HIDDEN}!"


def test_a_long_text_on_one_line_shows_that_it_was_cut() -> None:
    assert one_line("a\n b\tc", 600) == "a b c"
    assert one_line("x" * 10, 4) == f"xxxx{CUT}"


def test_control_characters_become_harmless() -> None:
    assert printable("\x1b[31mred\r\nnext\tcolumn") == "\\x1b[31mred\\x0d\nnext\tcolumn"


def comparisons(text: str, secret: str) -> int:
    """How many times something was compared with the text."""
    found = 0

    def count(_frame: FrameType, event: str, called: Any) -> None:
        nonlocal found
        found += event == "c_call" and called.__name__ in ("match", "fullmatch", "search")

    sys.setprofile(count)
    try:
        masked = mask(text, [secret])
    finally:
        sys.setprofile(None)
    assert secret not in masked
    assert HIDDEN in masked
    return found


@pytest.mark.parametrize(
    ("secret", "row"),
    [("%%%%%%%%zz", "%"), ("%%%%%%%%zz", "%25"), ("======x", "=\n"), ("``````b", "`"),
     ("$$$$$$$$x", "$"), ('""""""""x', '"'), ("&&&&&&&&aa", "&"), ("&&&&&&&&aa", "&amp;"),
     ("\\n" * 8 + "x", "\\n"), ("------x", "-----\n"), ("a b c d e f g", "a b "),
     ("C:\\\\\\a\\b\\c", "\\")],
)  # fmt: skip
def test_a_row_costs_as_much_as_it_is_long(secret: str, row: str) -> None:
    """Where a secret begins almost everywhere, what is not looked at is hidden."""
    length = 10_000
    text = row * (length // len(row))

    assert comparisons(f"{text}z{secret}", secret) < 10 * length
