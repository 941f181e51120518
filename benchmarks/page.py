"""Tables in Markdown, and the places in the docs where they go."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Table:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Padded, so that it reads as well in a terminal."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[index]) for line in lines) for index in range(len(self.columns))]
        head, *rows = [_line(line, widths) for line in lines]
        rule = _line(["-" * width for width in widths], widths)
        return "\n".join([f"**{self.title}**", "", head, rule, *rows])


@dataclass(frozen=True, kw_only=True)
class Section:
    """What one benchmark found."""

    name: str
    circumstances: str
    tables: Sequence[Table]

    def markdown(self) -> str:
        tables = (table.markdown() for table in self.tables)
        return "\n\n".join([*tables, f"<sub>{self.circumstances}</sub>"])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def put(page: str, section: Section) -> str:
    """The page with the section between its two marker comments, in place of what stood there.

    Raises:
        ValueError: the page has no place for it.
    """
    begin, end = f"<!-- figures: {section.name} -->", f"<!-- end: {section.name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the page has no place between {begin!r} and {end!r}")
    return f"{before}{begin}\n\n{section.markdown()}\n\n{end}{after}"
