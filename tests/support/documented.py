"""The command lines and the files that the README and the docs name."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))
)  # fmt: skip
#: A file or folder of the repository, as the pages name it.
_PATH = re.compile(
    r"`((?:aweigh|activities|workflows|api|worker|cli|examples|tests|benchmarks|docs|scripts)"
    r"/[\w./-]*)`"
)
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """Each command of the page's console blocks, on one line and without its comment."""
    blocks = "".join(_BLOCK.findall(page.read_text())).replace("\\\n", " ")
    # A line within quotes goes on with the one above.
    lines = re.findall(r"(?:'[^']*'|[^'\n])+", blocks)
    return [line.partition(" #")[0].strip() for line in lines if line.strip()]


def paths(page: Path) -> list[str]:
    """Each file or folder of the repository that the page names."""
    return _PATH.findall(page.read_text())


def dead_links(page: Path) -> list[str]:
    """The page's links to files or headings that do not exist."""
    found: list[str] = []
    for name, heading in _LINK.findall(page.read_text()):
        target = page.parent / name if name else page
        if not target.exists() or (heading and heading not in _headings(target)):
            found.append(f"{name}#{heading}")
    return found


def _headings(page: Path) -> set[str]:
    """The anchors that GitHub gives to the page's headings."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def temporal_command(*words: str) -> str:
    """The one command line of docs/temporal.md that has all these words."""
    given = commands(ROOT / "docs" / "temporal.md")
    (found,) = [line for line in given if all(word in line for word in words)]
    return found
