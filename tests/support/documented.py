"""The command lines that the README and the docs give."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """Each command of the page's console blocks, on one line and without its comment."""
    blocks = "".join(_BLOCK.findall(page.read_text())).replace("\\\n", " ")
    # A line within quotes goes on with the one above.
    lines = re.findall(r"(?:'[^']*'|[^'\n])+", blocks)
    return [line.partition(" #")[0].strip() for line in lines if line.strip()]


def temporal_command(*words: str) -> str:
    """The one command line of docs/temporal.md that has all these words."""
    given = commands(ROOT / "docs" / "temporal.md")
    (found,) = [line for line in given if all(word in line for word in words)]
    return found
