"""Text from outside, made fit for logs, terminals and histories."""

from typing import Final

#: Stands where a text was cut; a secret that was cut with it is recognised by it.
CUT: Final = "…"


def one_line(text: str, longest: int = 600) -> str:
    """On one line, at most so long."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[:longest] + CUT


def printable(text: str) -> str:
    """Control characters made harmless; lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\t\n" else f"\\x{ord(char):02x}" for char in text
    )
