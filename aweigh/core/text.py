"""Makes text from outside fit for logs, terminals and histories."""

from typing import Final

#: Marks where a text was cut; masking uses it to find a secret that was cut too.
CUT: Final = "…"


def one_line(text: str, longest: int = 600) -> str:
    """Return the text on one line, cut to `longest` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[:longest] + CUT


def printable(text: str) -> str:
    """Return the text with control characters escaped, except newlines and tabs."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\t\n" else f"\\x{ord(char):02x}" for char in text
    )
