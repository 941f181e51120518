"""Copies a build's output into the deployment's log: each line once, even if a worker dies."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

from aweigh.core.text import one_line
from aweigh.secrets.value import as_logged, last_lines, mask_lines

if TYPE_CHECKING:
    from pathlib import Path

    from aweigh.engine.output import Line
    from aweigh.servers.running_step import RunningStep


_LAST_LINES: Final = 10
_WIDTH: Final = 160
#: How many bytes at the end of a log are searched for its last lines.
_TAIL_BYTES: Final = 16 * 1024


class _Note(BaseModel):
    """How far a phase's output was read, and the log's length then and at the phase's start."""

    phase: str = ""
    at: str = ""
    length: int = 0
    begun: int = 0


class BuildLog:
    """Continues reading where a worker that died stopped.

    That worker may have died after it wrote lines and before it updated its note. So lines that the
    log already has behind the noted length, possibly between Aweigh's own, are not written again.
    """

    def __init__(self, step: RunningStep, note: Path) -> None:
        self._step = step
        self._path = note
        self._note = _Note.model_validate_json(note.read_text()) if note.exists() else _Note()
        behind = step.lines_behind(self._note.length) if self._note.phase else ()
        self._behind = deque(behind)
        self._last = self._written_last() if self._note.phase else []

    @property
    def phase(self) -> str:
        """The phase that an earlier reader reached; empty if there was none."""
        return self._note.phase

    @property
    def last_lines(self) -> str:
        """The last lines of output, shown with a failure."""
        # Mask before cutting lines, which could leave half a secret.
        shown = mask_lines(self._last, self._step.secrets)[-_LAST_LINES:]
        return "\n".join(one_line(line, _WIDTH) for line in shown)

    def begin(self, phase: str) -> str:
        """Return the position of the last line read of this phase; empty if none was."""
        if self._note.phase != phase:
            self._behind.clear()
            length = self._step.log_length()
            self._keep(_Note(phase=phase, length=length, begun=length))
        return self._note.at

    def take(self, batch: list[Line]) -> None:
        lines = [text for line in batch for text in _lines(line.text)]
        self._last = last_lines([*self._last, *lines], self._step.secrets, _LAST_LINES)
        if new := self._unwritten(lines):
            self._step.log_output(new)
        read = {"at": batch[-1].at, "length": self._step.log_length()}
        self._keep(self._note.model_copy(update=read))

    def _unwritten(self, lines: list[str]) -> list[str]:
        if not self._behind:
            return lines
        for index, shown in enumerate(as_logged(lines, self._step.secrets)):
            if shown not in self._behind:
                self._behind.clear()
                return lines[index:]
            while self._behind.popleft() != shown:
                pass
        return []

    def _written_last(self) -> list[str]:
        """Return the last lines of this phase that an earlier reader wrote."""
        tail = max(self._note.begun, self._step.log_length() - _TAIL_BYTES)
        return self._step.lines_behind(tail)

    def _keep(self, note: _Note) -> None:
        temporary = self._path.with_suffix(".new")
        temporary.write_text(note.model_dump_json())
        temporary.replace(self._path)
        self._note = note


def _lines(text: str) -> list[str]:
    """Split at carriage returns too: each state of a progress bar is a line."""
    return text.splitlines() or [""]
