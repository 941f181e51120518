"""Whether a commit's message asks for no deployment, by GitHub's rules.

https://docs.github.com/en/actions/managing-workflow-runs/skipping-workflow-runs
"""

import re
from typing import Final

#: GitHub's five markers, anywhere in the message.
_MARKER: Final = re.compile(
    r"\[(?:(?:skip|no) ci|ci skip|skip actions|actions skip)\]", re.IGNORECASE
)
_TRAILER: Final = re.compile(r"[A-Za-z0-9-]+[ \t]*:")
_SKIP_CHECKS: Final = re.compile(r"skip-checks[ \t]*:[ \t]*true[ \t\r]*", re.IGNORECASE)
#: Lines that git itself writes: beside them, git accepts prose among trailers.
_BY_GIT: Final = ("Signed-off-by: ", "(cherry picked from commit ")


def asks_to_skip(message: str) -> bool:
    """Whether a commit asks for no deployment, by a marker or by `skip-checks: true`."""
    if _MARKER.search(message):
        return True
    return any(_SKIP_CHECKS.fullmatch(line) for line in _trailers(message))


def _trailers(message: str) -> list[str]:
    """Return the trailers: the lines of the last paragraph, if git reads it as such.

    GitHub requires two empty lines before it, of which git keeps one by default.
    """
    lines = message.rstrip().split("\n")
    first = len(lines)
    while first and lines[first - 1].strip():
        first -= 1
    if not any(line.strip() for line in lines[:first]):
        return []
    trailers: list[str] = []
    prose, by_git, continues = 0, False, False
    for line in lines[first:]:
        if line[:1].isspace() and continues:
            trailers[-1] += line  # a value may continue on further lines
        elif line.startswith(_BY_GIT) or _TRAILER.match(line):
            trailers.append(line)
            by_git, continues = by_git or line.startswith(_BY_GIT), True
        else:
            prose, continues = prose + 1, False
    return [] if prose and not (by_git and 3 * len(trailers) >= prose) else trailers
