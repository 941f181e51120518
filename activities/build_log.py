"""A build's output on its way into the deployment's log: every line once, whatever dies."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

from aweigh.domain.secret import mask
from aweigh.domain.text import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from activities.step import OpenStep
    from aweigh.adapters.output import Line


_LAST_LINES: Final = 10
_WIDTH: Final = 160


class _Note(BaseModel):
    """How far the output of a phase was read, and how long the log was then."""

    phase: str = ""
    at: str = ""
    length: int = 0


class BuildLog:
    """Reads on where a worker that died stopped.

    It may have died between writing lines and noting that; so lines that stand in the log behind
    the length that was noted are those that come first now, and are not written again.
    """

    def __init__(self, opened: OpenStep, note: Path) -> None:
        self._opened = opened
        self._path = note
        self._note = _Note.model_validate_json(note.read_text()) if note.exists() else _Note()
        self._written = opened.lines_behind(self._note.length) if self._note.phase else 0
        self._last: deque[str] = deque(maxlen=_LAST_LINES)

    @property
    def phase(self) -> str:
        """The phase that an earlier reader came to; empty: there was none."""
        return self._note.phase

    @property
    def last_lines(self) -> str:
        """What was printed last, for those who ask why it failed."""
        secrets = self._opened.release.settings.secrets
        shown = mask("\n".join(self._last), secrets).splitlines()  # before a line is cut in one
        return "\n".join(one_line(line, _WIDTH) for line in shown)

    def begin(self, phase: str) -> str:
        """The time of the last line that was read of this phase; empty: none was."""
        if self._note.phase != phase:
            self._written = 0
            self._keep(_Note(phase=phase, length=self._opened.log_length()))
        return self._note.at

    def take(self, batch: list[Line]) -> None:
        lines = [text for line in batch for text in _lines(line.text)]
        self._last.extend(lines)
        new = lines[self._written :]
        self._written = max(self._written - len(lines), 0)
        if new:
            self._opened.log_output(new)
        self._keep(_Note(phase=self._note.phase, at=batch[-1].at, length=self._opened.log_length()))

    def _keep(self, note: _Note) -> None:
        temporary = self._path.with_suffix(".new")
        temporary.write_text(note.model_dump_json())
        temporary.replace(self._path)
        self._note = note


def _lines(text: str) -> list[str]:
    """A progress bar writes its line over and over: each state of it is one."""
    return text.splitlines() or [""]
