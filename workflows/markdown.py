"""Text from outside in the Markdown that Temporal's UI shows."""

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~-])")
_LONGEST = 1000


def escaped(text: str) -> str:
    """The text as it is, on one line: nothing in it becomes a link, an image or a heading."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())[:_LONGEST])
