"""Finds secrets in a text, in any form, in one pass."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import re2

from aweigh.core.text import CUT
from aweigh.secrets.encodings import NOISE, SHORTEST, Needle, needles

HIDDEN: Final = "**********"

_CUT: Final = CUT.encode()
#: What may be left of an escape, or of a hexadecimal byte.
_CUT_UNIT: Final = NOISE + rb"(?:[\\%=&][\\\w#{]{0,8}|[0-9A-Fa-f])?"
#: Characters that start an escape, which can stand for any character.
_ESCAPES: Final = b"\\%=&'\"$"
#: Beginnings per automaton, whose memory is bounded.
_TOGETHER: Final = 64
_MEMORY: Final = 256 * 1024**2
#: The number of secrets whose maskers are cached: those of active releases.
_KEPT: Final = 4096
#: The number of cached maskers for whole sets of secrets, used for texts above `_MUCH` bytes.
_KEPT_SETS: Final = 16
_MUCH: Final = 16 * 1024

#: Maximum bytes for one character and the separators before it.
_LONGEST_UNIT: Final = 256
#: The limit of comparisons for a text: a base, and an addition for each byte.
_COMPARISONS: Final = (50_000, 4)

Span = tuple[int, int]


class _TooMuch(Exception):
    """The text looks like the beginning of a secret almost everywhere."""


class _Effort:
    """Limits the comparisons for a text: long runs of one character cost the most."""

    def __init__(self, length: int) -> None:
        at_first, for_each = _COMPARISONS
        self._left = at_first + for_each * length

    def match(self, unit: re.Pattern[bytes], data: bytes, start: int) -> re.Match[bytes] | None:
        """Match a unit at a position. Raises: _TooMuch."""
        self._left -= 1
        if self._left < 0:
            raise _TooMuch
        return unit.match(data, start, start + _LONGEST_UNIT)

    def ends(self, unit: re.Pattern[bytes], data: bytes, start: int) -> Iterator[int]:
        """Yield all positions where a unit that starts here can end. Raises: _TooMuch."""
        if longest := self.match(unit, data, start):
            yield longest.end()
            length = longest.end() - start
            self._left -= length + length * length // 32
            for end in range(start + 1, longest.end()):
                if unit.fullmatch(data, start, end):
                    yield end


def prepare(secrets: Iterable[str], *, much: bool = False) -> None:
    """Compile the expressions of new secrets, which takes milliseconds; call it in a thread.

    `much`: also for long texts.
    """
    known = tuple(secrets)
    for secret in known:
        _of_one(secret)
    if much:
        _of_all(known)


def spans(data: bytes, secrets: Sequence[str]) -> list[Span]:
    """Return the ranges to hide, sorted and without overlaps."""
    known = tuple(secrets)
    maskers = [_of_all(known)] if len(data) > _MUCH else map(_of_one, set(known))
    found = sorted(span for masker in maskers for span in masker.spans(data))
    merged: list[Span] = []
    for start, end in found:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


@lru_cache(maxsize=_KEPT)
def _of_one(secret: str) -> "Masker":
    """Quick to add one more secret, but each needs its own pass."""
    return Masker(needles(secret))


@lru_cache(maxsize=_KEPT_SETS)
def _of_all(secrets: tuple[str, ...]) -> "Masker":
    return Masker(needle for secret in set(secrets) for needle in needles(secret))


class Masker:
    """Finds secrets in all their forms.

    Automata, whose time is linear, search for all beginnings together. At each match, every needle
    with that beginning is followed to its end, or to where the text was cut.
    """

    def __init__(self, sought: Iterable[Needle]) -> None:
        self._all = tuple(_Path(needle) for needle in set(sought))
        self._by_first: dict[int, list[_Path]] = defaultdict(list)
        for path in self._all:
            for first in path.needle.begins:
                self._by_first[first].append(path)
        anchors = sorted({path.needle.anchor for path in self._all})
        groups = [anchors[at : at + _TOGETHER] for at in range(0, len(anchors), _TOGETHER)]
        self._finders = [_automaton(group) for group in groups]

    def spans(self, data: bytes) -> Iterator[Span]:
        effort = _Effort(len(data))
        for finder in self._finders:
            yield from self._found_by(finder, data, effort)

    def _found_by(self, finder: Any, data: bytes, effort: _Effort) -> Iterator[Span]:
        position, hidden_to, by = 0, 0, None
        while hidden_to < len(data) and (begun := finder.search(data, position)):
            start = begun.start()
            position = start + 1
            # A secret that occurs within itself, as in a row of dashes, is hidden from its first
            # occurrence.
            but = by if start < hidden_to else None
            try:
                found = self._longest(data, start, effort, but=but)
            except _TooMuch:
                yield start, len(data)  # hide the rest, whatever it is
                return
            if found:
                hidden_to, by = found
                row = _row_end(data, start)
                if row >= hidden_to:
                    hidden_to, position = row, max(position, row - SHORTEST)
                yield start, hidden_to

    def _longest(
        self, data: bytes, start: int, effort: _Effort, *, but: "_Path | None"
    ) -> "tuple[int, _Path] | None":
        """Return the end of the longest secret that starts here, and its needle."""
        escaped = data[start] in _ESCAPES
        sought: Sequence[_Path] = self._all if escaped else self._by_first.get(data[start], ())
        ends = ((one.end(data, start, effort), one) for one in sought if one is not but)
        end, path = max(ends, key=lambda found: found[0], default=(0, None))
        return (end, path) if path and end else None


def _automaton(anchors: Iterable[bytes]) -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MEMORY
    options.log_errors = False
    return re2.compile(b"|".join(anchors), options)


class _Path:
    """Follows a needle through a text; its expressions are compiled only as far as needed."""

    def __init__(self, needle: Needle) -> None:
        self.needle = needle
        self._compiled: list[re.Pattern[bytes]] = []

    def end(self, data: bytes, start: int, effort: _Effort) -> int:
        """Return where the secret that starts here ends, or is cut; 0 if there is none."""
        plain, position = self.needle.plain, start
        if plain and data.startswith(plain, start):
            return start + len(plain)
        for number in range(len(self.needle.units)):
            read = effort.match(self._unit(number), data, position)
            if not read:
                if plain and _AMBIGUOUS.search(data, start, position):
                    return self._end_of_any(data, start, effort)
                return _end_if_cut(data, position) if number >= SHORTEST else 0
            position = read.end()
        return self._with_rest(data, position)

    def _end_of_any(self, data: bytes, start: int, effort: _Effort) -> int:
        """As `end`, for escapes that can be read in more than one way."""
        positions = {start}
        for number in range(len(self.needle.units)):
            unit = self._unit(number)
            onward = {end for one in positions for end in effort.ends(unit, data, one)}
            if not onward:
                cut = [_end_if_cut(data, one) for one in positions] if number >= SHORTEST else []
                return max(cut, default=0)
            positions = onward
        return self._with_rest(data, max(positions))

    def _unit(self, number: int) -> re.Pattern[bytes]:
        if number == len(self._compiled):
            unit = self.needle.units[number]
            self._compiled.append(_compiled(NOISE + unit if number else unit))
        return self._compiled[number]

    def _with_rest(self, data: bytes, position: int) -> int:
        rest = _compiled(self.needle.end).match(data, position)
        return rest.end() if rest else position


def _end_if_cut(data: bytes, position: int) -> int:
    """Return the end if the text ends here or within an escape, else 0."""
    rest = _compiled(_CUT_UNIT).match(data, position)
    end = rest.end() if rest else position
    if (cut := data.find(_CUT, position, end + len(_CUT))) >= 0:
        return cut
    return end if end == len(data) else 0


def _row_end(data: bytes, start: int) -> int:
    """Return the end of the run of one character that starts here."""
    row = _ROW.match(data, start)
    return row.end() if row else start


#: Can be literal, or the start of an escape.
_AMBIGUOUS: Final = re.compile(rb"[\\%=&'\"$`{}_+,#|>\s]")
_ROW: Final = re.compile(rb"(.)\1*", re.DOTALL)


@lru_cache(maxsize=8192)
def _compiled(expression: bytes) -> re.Pattern[bytes]:
    return re.compile(expression)
