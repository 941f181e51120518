"""A build's output on its way into the deployment's log: every line once, whatever dies."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

from aweigh.core.text import one_line
from aweigh.secrets.value import as_logged, last_lines, mask_lines

if TYPE_CHECKING:
    from pathlib import Path

    from aweigh.containers.output import Line
    from aweigh.servers.running_step import RunningStep


_LAST_LINES: Final = 10
_WIDTH: Final = 160
#: Of a log that is searched for its last lines.
_TAIL_BYTES: Final = 16 * 1024


class _Note(BaseModel):
    """How far the output of a phase was read, and how long the log was then and at its begin."""

    phase: str = ""
    at: str = ""
    length: int = 0
    begun: int = 0


class BuildLog:
    """Reads on where a worker that died stopped.

    It may have died between writing lines and noting that; so those of them that stand in the log
    behind the length that was noted, perhaps among words of Aweigh's own, are not written again.
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
        """The phase that an earlier reader came to; empty: there was none."""
        return self._note.phase

    @property
    def last_lines(self) -> str:
        """What was printed last, for those who ask why it failed."""
        # Masked before a line is cut, in which half a secret could be left.
        shown = mask_lines(self._last, self._step.secrets)[-_LAST_LINES:]
        return "\n".join(one_line(line, _WIDTH) for line in shown)

    def begin(self, phase: str) -> str:
        """The time of the last line that was read of this phase; empty: none was."""
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
        """The last lines an earlier reader wrote of this phase."""
        tail = max(self._note.begun, self._step.log_length() - _TAIL_BYTES)
        return self._step.lines_behind(tail)

    def _keep(self, note: _Note) -> None:
        temporary = self._path.with_suffix(".new")
        temporary.write_text(note.model_dump_json())
        temporary.replace(self._path)
        self._note = note


def _lines(text: str) -> list[str]:
    """A progress bar writes its line over and over: each state of it is one."""
    return text.splitlines() or [""]
