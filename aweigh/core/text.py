"""Makes text from outside fit for logs, terminals and histories."""

from typing import Final

#: Marks where a text was cut; masking uses it to find a secret that was cut too.
CUT: Final = "…"
#: Characters of a commit's subject.
LONGEST_SUBJECT: Final = 200


def one_line(text: str, longest: int = 600) -> str:
    """Return the text on one line, cut to `longest` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[:longest] + CUT


def subject_of(message: str) -> str:
    """Return the subject of a commit message, which is its first line; it may have megabytes."""
    [subject, *_] = message.strip()[: 2 * LONGEST_SUBJECT].splitlines() or [""]
    return one_line(printable(subject), LONGEST_SUBJECT)


def printable(text: str) -> str:
    """Return the text with control characters escaped, except newlines and tabs."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\t\n" else f"\\x{ord(char):02x}" for char in text
    )
